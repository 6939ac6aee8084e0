/** Makes requests of a hostile platform on Litecoin and Bitcoin Cash; see hostile.ts. */

import type { RefusalCode } from '../../domain/signing/signer-protocol.js'
import { parsePath } from '../../signer/keys/path.js'
import { keyScript } from '../../signer/utxo/key-script.js'
import { BTC_RECIPIENT, btcRequest, keyring, makeState, otherKeyring } from './fixture.js'
import type { HostileCase } from './hostile.js'
import {
  bitcoinCash,
  FEE,
  LITECOIN,
  litecoin,
  type Rail,
  type RailPsbt,
  railOutputs,
  railParent,
  railPsbt,
  railRequest,
  railsState,
  SIGHASH_ALL_FORKID,
  scriptAt,
} from './rails-fixture.js'

function of(
  name: string,
  check: string,
  code: RefusalCode,
  request: () => unknown,
  options: { readonly behind?: string; readonly state?: typeof railsState } = {},
): HostileCase {
  const make = () => ({ request: request(), state: (options.state ?? railsState)() })
  return { name, check, code, make, ...(options.behind ? { behind: options.behind } : {}) }
}

const withPsbt = (rail: Rail, psbt: RailPsbt) => () => railRequest(rail, { psbt })

function changeTo(rail: Rail, script: Uint8Array, path?: string): RailPsbt {
  const [paid, change] = railOutputs(rail)
  return { outputs: [paid, { script, amount: change.amount, ...(path ? { path } : {}) }] }
}

/** Makes a parent that claims more than the chain holds, so that the fee looks smaller than it is. */
function inflatedParent(rail: Rail) {
  const [coin] = rail.coins
  if (!coin) throw new Error('The fixture has coins')
  const honest = Buffer.from(railParent(rail, coin).toBuffer()).toString('hex')
  const inflated = Buffer.from(
    railParent(rail, { ...coin, amount: coin.amount + 1_000n }).toBuffer(),
  ).toString('hex')
  const psbt = Buffer.from(railPsbt(rail), 'base64').toString('hex')
  if (!psbt.includes(honest)) throw new Error('There is nothing to patch')
  const payload = {
    family: 'utxo',
    network: rail.network,
    psbt: Buffer.from(psbt.replace(honest, inflated), 'hex').toString('base64'),
  }
  return { ...railRequest(rail), payload }
}

const otherNetwork: HostileCase[] = [
  of('a Litecoin payout that names Bitcoin', 'payload-on-intent-network', 'CHAIN_MISMATCH', () =>
    railRequest(litecoin, { network: 'bitcoin' }),
  ),
  of('a Bitcoin payout under a Litecoin intent', 'payload-on-intent-network', 'CHAIN_MISMATCH', () => ({
    ...railRequest(litecoin),
    payload: btcRequest().payload,
  })),
  of('a Litecoin payout under a Bitcoin intent', 'payload-on-intent-network', 'CHAIN_MISMATCH', () => ({
    ...btcRequest(),
    payload: railRequest(litecoin).payload,
  })),
  of(
    'a Litecoin intent where the policy lists Bitcoin alone',
    'network-allowed',
    'NETWORK_NOT_ALLOWED',
    () => railRequest(litecoin),
    { state: makeState },
  ),
  of('Bitcoin as the coin of a Litecoin intent', 'asset-allowed', 'ASSET_MISMATCH', () =>
    railRequest(litecoin, { intent: { asset: { coin: 'btc', contract: null, decimals: 8 } } }),
  ),
  ...[bitcoinCash, litecoin].flatMap((rail) => [
    of(
      `an input with a key of Bitcoin’s wallet on ${rail.network}`,
      'input-paths-allowed',
      'UNKNOWN_INPUT',
      withPsbt(rail, {
        coins: [...rail.coins.slice(0, 1), { path: "m/84'/1'/1'/0/0", amount: 50_000_000n }],
      }),
    ),
    of(
      `change to Bitcoin’s wallet on ${rail.network}`,
      'change-path-allowed',
      'CHANGE_NOT_MINE',
      withPsbt(rail, changeTo(rail, scriptAt(rail, "m/84'/1'/1'/1/3"), "m/84'/1'/1'/1/3")),
    ),
    of(
      `change to a stranger, labelled as own, on ${rail.network}`,
      'change-mine',
      'CHANGE_NOT_MINE',
      withPsbt(rail, changeTo(rail, scriptAt(rail, rail.changePath, otherKeyring), rail.changePath)),
    ),
    of(
      `change to a stranger on ${rail.network}`,
      'change-path-allowed',
      'CHANGE_NOT_MINE',
      withPsbt(rail, changeTo(rail, scriptAt(rail, rail.changePath, otherKeyring))),
      { behind: 'change-mine' },
    ),
    of(
      `a parent that says more than the chain on ${rail.network}`,
      'parents-hash-to-outpoints',
      'UNKNOWN_INPUT',
      () => inflatedParent(rail),
    ),
    of(
      `a claimed amount that the parent does not have on ${rail.network}`,
      'witness-utxos-agree',
      'AMOUNT_MISMATCH',
      withPsbt(rail, {
        change: (psbt) => {
          const [coin] = rail.coins
          if (!coin) throw new Error('The fixture has coins')
          const input = psbt.data.inputs[0]
          if (input) input.witnessUtxo = { script: scriptAt(rail, coin.path), value: coin.amount - FEE }
        },
      }),
    ),
  ]),
]

const [, cashChange] = railOutputs(bitcoinCash)
const ownHash = (path: string) => keyring.at(parsePath(path) ?? []).keyHash

const cashCases: HostileCase[] = [
  ...[null, 0x01, 0x42, 0x43, 0xc1, 0xc2, 0xc3].map((sighash) =>
    of(
      `sighash type ${sighash === null ? 'none' : `0x${sighash.toString(16)}`} on bitcoin-cash`,
      'sighash-all-only',
      'SIGHASH_NOT_ALLOWED',
      withPsbt(bitcoinCash, { sighash }),
    ),
  ),
  ...[litecoin].map((rail) =>
    of(
      `SIGHASH_FORKID on ${rail.network}`,
      'sighash-all-only',
      'SIGHASH_NOT_ALLOWED',
      withPsbt(rail, { sighash: SIGHASH_ALL_FORKID }),
    ),
  ),
  of('SIGHASH_FORKID on bitcoin', 'sighash-all-only', 'SIGHASH_NOT_ALLOWED', () =>
    btcRequest({ psbt: { sighash: SIGHASH_ALL_FORKID } }),
  ),
  of(
    'change to the own key in a SegWit script, which anyone may spend on bitcoin-cash',
    'change-mine',
    'CHANGE_NOT_MINE',
    withPsbt(
      bitcoinCash,
      changeTo(bitcoinCash, keyScript('p2wpkh', ownHash(bitcoinCash.changePath)), bitcoinCash.changePath),
    ),
  ),
  of(
    'an input that carries a token on bitcoin-cash',
    'input-scripts-mine',
    'UNKNOWN_INPUT',
    withPsbt(bitcoinCash, {
      coins: [
        ...bitcoinCash.coins.slice(0, 1),
        {
          path: "m/44'/145'/1'/0/0",
          amount: 50_000_000n,
          // The script has a CashToken: prefix, category, bitfield of a fungible token, amount 1, then the
          // plain script.
          script: Buffer.concat([
            Buffer.from([0xef]),
            Buffer.alloc(32, 0xab),
            Buffer.from([0x10, 0x01]),
            scriptAt(bitcoinCash, "m/44'/145'/1'/0/0"),
          ]),
        },
      ],
    }),
  ),
  of(
    'an output that carries a token on bitcoin-cash',
    'at-most-one-change',
    'OUTPUT_NOT_ALLOWED',
    withPsbt(bitcoinCash, {
      outputs: [
        railOutputs(bitcoinCash)[0],
        { ...cashChange, amount: cashChange.amount - 1_000n },
        {
          script: Buffer.concat([Buffer.from([0xef]), Buffer.alloc(32, 0xab), Buffer.from([0x10, 0x01])]),
          amount: 1_000n,
        },
      ],
    }),
  ),
  of('a fee above what was approved on bitcoin-cash', 'utxo-fee-within-intent', 'FEE_TOO_HIGH', () =>
    railRequest(bitcoinCash, { intent: { fee_limit: { coin: 'bch', amount: '2999' } } }),
  ),
  of(
    'a fee rate above the policy on bitcoin-cash',
    'fee-rate-within-policy',
    'FEE_TOO_HIGH',
    () => railRequest(bitcoinCash),
    {
      // The fee is 3,000 satoshis for 374 bytes: two P2PKH inputs of 148 bytes and two outputs.
      state: () =>
        railsState({
          policy: (file) => void Object.assign(file.networks['bitcoin-cash'] ?? {}, { max_fee_rate: 8 }),
        }),
    },
  ),
]

/** All requests on these networks that a single check refuses. */
export const HOSTILE_RAILS: readonly HostileCase[] = [...otherNetwork, ...cashCases]

/** Recipients that the signer does not read as addresses of the network. */
export const MALFORMED_RAILS: readonly (readonly [name: string, request: () => unknown])[] = [
  ['a Bitcoin recipient on Litecoin', () => paying(litecoin, BTC_RECIPIENT)],
  ['a Litecoin recipient on Bitcoin', () => btcRequest({ intent: recipient(litecoin.recipient) })],
  ['a legacy recipient on Bitcoin Cash', () => paying(bitcoinCash, '12higDjoCCNXSA95xZMWUdPvXNmkAduhWv')],
  [
    'a test network’s recipient on Bitcoin Cash',
    () => paying(bitcoinCash, 'bchtest:pr6m7j9njldwwzlg9v7v53unlr4jkmx6eyvwc0uz5t'),
  ],
  [
    'a recipient without its prefix on Bitcoin Cash',
    () => paying(bitcoinCash, bitcoinCash.recipient.slice(12)),
  ],
  [
    'a recipient with a wrong letter on Bitcoin Cash',
    () => paying(bitcoinCash, `${bitcoinCash.recipient.slice(0, -1)}q`),
  ],
  ['a recipient in capitals on Bitcoin Cash', () => paying(bitcoinCash, bitcoinCash.recipient.toUpperCase())],
  [
    'a SegWit recipient on Bitcoin Cash',
    () => paying(bitcoinCash, 'bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4'),
  ],
]

function recipient(address: string) {
  return { outputs: [{ address, amount: '80000000' }] }
}

function paying(rail: Rail, address: string) {
  return railRequest(rail, { intent: recipient(address) })
}

/** Makes the intent of another chain with the same keys, to which approvals do not carry over. */
export const REUSED_APPROVALS = (): unknown => {
  const cash = railRequest(bitcoinCash)
  return { ...cash, intent: { ...cash.intent, network: LITECOIN } }
}
