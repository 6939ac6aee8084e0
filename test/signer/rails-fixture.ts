/**
 * Makes honest requests on Litecoin and Bitcoin Cash, as on their main networks, with keys for each network.
 */

import * as bitcoin from 'bitcoinjs-lib'
import type { Intent } from '../../domain/controls/intent.js'
import type { SigningRequest } from '../../domain/signing/signer-protocol.js'
import { parsePath } from '../../signer/keys/path.js'
import type { PolicyFile } from '../../signer/policy/policy.js'
import { cashAddress } from '../../signer/utxo/cash-address.js'
import { keyScript } from '../../signer/utxo/key-script.js'
import { approved, btcIntent, type Coin, keyring, makeState, type StateOptions } from './fixture.js'

export const LITECOIN = 'bip122:12a765e31ffd4059bada1e25190f6e98'
export const BITCOIN_CASH = 'bip122:000000000000000000651ef99cb9fcbe'
export const SIGHASH_ALL_FORKID = 0x41

const shared = {
  family: 'utxo' as const,
  paying_roles: ['deposit' as const, 'master' as const, 'hot' as const],
  max_address_index: 1_000,
  max_fee: '0.01',
  max_fee_rate: 500,
}

export function addRails(file: PolicyFile): void {
  file.networks.litecoin = {
    ...shared,
    caip2: LITECOIN,
    derivation: { purpose: 84, coin_type: 2 },
    address: { bech32: 'ltc', pub_key_hash: 0x30, script_hash: 0x32 },
    assets: { ltc: { contract: null, decimals: 8, per_transaction: null, daily: null } },
  }
  file.networks['bitcoin-cash'] = {
    ...shared,
    caip2: BITCOIN_CASH,
    derivation: { purpose: 44, coin_type: 145 },
    address: { bech32: '', pub_key_hash: 0, script_hash: 5, cashaddr: 'bitcoincash' },
    assets: { bch: { contract: null, decimals: 8, per_transaction: null, daily: null } },
  }
}

/** Makes a signer whose policy lists both. */
export function railsState(options: StateOptions = {}) {
  return makeState({
    ...options,
    policy: (file) => {
      addRails(file)
      options.policy?.(file)
    },
  })
}

/** Differences between the two networks. */
export interface Rail {
  readonly network: string
  readonly caip2: string
  readonly coin: string
  readonly kind: 'p2wpkh' | 'p2pkh-forkid'
  readonly coins: readonly Coin[]
  readonly changePath: string
  readonly recipient: string
  readonly recipientScript: Uint8Array
}

const recipientHash = Buffer.alloc(20, 0x11)
const ltcNetwork = { ...bitcoin.networks.bitcoin, bech32: 'ltc' }

export const litecoin: Rail = {
  network: 'litecoin',
  caip2: LITECOIN,
  coin: 'ltc',
  kind: 'p2wpkh',
  coins: [
    { path: "m/84'/2'/0'/0/7", amount: 60_000_000n },
    { path: "m/84'/2'/1'/0/0", amount: 50_000_000n },
  ],
  changePath: "m/84'/2'/1'/1/3",
  recipient: bitcoin.payments.p2wpkh({ hash: recipientHash, network: ltcNetwork }).address ?? '',
  recipientScript: keyScript('p2wpkh', recipientHash),
}

export const bitcoinCash: Rail = {
  network: 'bitcoin-cash',
  caip2: BITCOIN_CASH,
  coin: 'bch',
  kind: 'p2pkh-forkid',
  coins: [
    { path: "m/44'/145'/0'/0/7", amount: 60_000_000n },
    { path: "m/44'/145'/1'/0/0", amount: 50_000_000n },
  ],
  changePath: "m/44'/145'/1'/1/3",
  recipient: cashAddress(recipientHash, 'bitcoincash'),
  recipientScript: keyScript('p2pkh-forkid', recipientHash),
}

export const scriptAt = (rail: Rail, path: string, keys = keyring): Uint8Array =>
  keyScript(rail.kind, keys.at(parsePath(path) ?? []).keyHash)

export interface RailOutput {
  readonly script: Uint8Array
  readonly amount: bigint
  readonly path?: string
}

export interface RailPsbt {
  readonly coins?: readonly (Coin & { readonly script?: Uint8Array })[]
  readonly outputs?: readonly RailOutput[]
  /**
   * Signature type of each input. `null` writes none. Default: none on Litecoin, ALL|FORKID on Bitcoin Cash.
   */
  readonly sighash?: number | null
  readonly change?: (psbt: bitcoin.Psbt) => void
}

export const FEE = 3_000n

export const railOutputs = (rail: Rail): readonly [RailOutput, RailOutput] => [
  { script: rail.recipientScript, amount: 80_000_000n },
  { script: scriptAt(rail, rail.changePath), amount: 30_000_000n - FEE, path: rail.changePath },
]

/** Makes the transaction that paid a coin. */
export function railParent(rail: Rail, coin: Coin & { readonly script?: Uint8Array }): bitcoin.Transaction {
  const parent = new bitcoin.Transaction()
  parent.version = 2
  parent.addInput(Buffer.alloc(32, (coin.salt ?? 0) + 1), 0)
  parent.addOutput(Buffer.from([0x6a]), 0n)
  parent.addOutput(coin.script ?? scriptAt(rail, coin.path, coin.keys), coin.amount)
  return parent
}

export function railPsbt(rail: Rail, options: RailPsbt = {}): string {
  const psbt = new bitcoin.Psbt()
  psbt.setVersion(2)
  const sighash =
    options.sighash === undefined && rail.kind === 'p2pkh-forkid' ? SIGHASH_ALL_FORKID : options.sighash
  for (const coin of options.coins ?? rail.coins) {
    const parent = railParent(rail, coin)
    psbt.addInput({
      hash: parent.getId(),
      index: 1,
      sequence: 0xffff_fffd,
      nonWitnessUtxo: parent.toBuffer(),
      bip32Derivation: [origin(coin.path, coin.keys)],
      ...(sighash === undefined || sighash === null ? {} : { sighashType: sighash }),
    })
  }
  for (const output of options.outputs ?? railOutputs(rail)) {
    psbt.addOutput({
      script: output.script,
      value: output.amount,
      ...(output.path ? { bip32Derivation: [origin(output.path)] } : {}),
    })
  }
  options.change?.(psbt)
  return psbt.toBase64()
}

export function railRequest(
  rail: Rail,
  change: { intent?: Partial<Intent>; psbt?: RailPsbt; network?: string } = {},
): SigningRequest {
  return approved({
    id: `srq_${rail.coin}`,
    attempt: 1,
    purpose: 'pay',
    items: null,
    lease_until: '2026-06-01T12:01:00.000Z',
    intent: btcIntent({
      withdrawal: `withdrawal_${rail.coin}`,
      network: rail.caip2,
      asset: { coin: rail.coin, contract: null, decimals: 8 },
      outputs: [{ address: rail.recipient, amount: '80000000' }],
      fee_limit: { coin: rail.coin, amount: '100000' },
      ...change.intent,
    }),
    payload: { family: 'utxo', network: change.network ?? rail.network, psbt: railPsbt(rail, change.psbt) },
  })
}

function origin(path: string, keys = keyring) {
  return {
    masterFingerprint: Buffer.from(keys.fingerprint, 'hex'),
    path,
    pubkey: keys.at(parsePath(path) ?? []).publicKey,
  }
}
