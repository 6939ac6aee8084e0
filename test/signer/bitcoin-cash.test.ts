/** Tests Bitcoin Cash against published vectors, another library and the platform's builders. */

import {
  createVirtualMachineBCH,
  decodeCashAddress as decodeByLibrary,
  decodeTransactionUnsafeBCH,
  encodeCashAddress as encodeByLibrary,
  generateSigningSerializationBCH,
  hash256,
  hexToBin,
} from '@bitauth/libauth'
import { mnemonicToSeedSync } from '@scure/bip39'
import fc from 'fast-check'
import * as ecc from 'tiny-secp256k1'
import { expect, test } from 'vitest'
import type { SpendableOutput } from '../../chains/adapter.js'
import type { TransactionSource } from '../../chains/utxo/chain/transaction-source.js'
import { parseTransaction } from '../../chains/utxo/parse/parse-transaction.js'
import { buildPayout } from '../../chains/utxo/spend/build-payout.js'
import { verifySigned } from '../../chains/utxo/spend/verify-signed.js'
import type { UtxoPayload } from '../../domain/signing/signer-protocol.js'
import { loadNetworks } from '../../networks/load-networks.js'
import { decide } from '../../signer/decide.js'
import { readBack } from '../../signer/helpers/read-back.js'
import { openKeyring } from '../../signer/keys/keyring.js'
import { parsePath } from '../../signer/keys/path.js'
import { addressScript } from '../../signer/utxo/address-script.js'
import { cashAddress, cashAddressScript } from '../../signer/utxo/cash-address.js'
import { SIGHASH_OF } from '../../signer/utxo/key-script.js'
import { readTransaction } from '../../signer/utxo/read-transaction.js'
import { segwitSighash } from '../../signer/utxo/segwit-sighash.js'
import { signP2pkhForkId } from '../../signer/utxo/sign-p2pkh-forkid.js'
import { type Coin, keyring } from './fixture.js'
import { bitcoinCash, railParent, railRequest, railsState, scriptAt } from './rails-fixture.js'

const FORKID = SIGHASH_OF['p2pkh-forkid']
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const networks = await loadNetworks(undefined, {
  BITCOIN_CASH_ENABLED: 'true',
  BITCOIN_CASH_CHAIN: 'main',
})
const network = networks.get('bitcoin-cash')
if (network?.family !== 'utxo') throw new Error('bitcoin-cash is of the UTXO family')
const cash = network

/** Table of translations in the specification, and its larger vectors with 20 bytes. */
const SPECIFICATION = [
  [
    'bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a',
    '76a91476a04053bda0a88bda5177b86a15c3b29f55987388ac',
  ],
  [
    'bitcoincash:qr95sy3j9xwd2ap32xkykttr4cvcu7as4y0qverfuy',
    '76a914cb481232299cd5743151ac4b2d63ae198e7bb0a988ac',
  ],
  [
    'bitcoincash:qqq3728yw0y47sqn6l2na30mcw6zm78dzqre909m2r',
    '76a914011f28e473c95f4013d7d53ec5fbc3b42df8ed1088ac',
  ],
  [
    'bitcoincash:ppm2qsznhks23z7629mms6s4cwef74vcwvn0h829pq',
    'a91476a04053bda0a88bda5177b86a15c3b29f55987387',
  ],
  [
    'bitcoincash:pr95sy3j9xwd2ap32xkykttr4cvcu7as4yc93ky28e',
    'a914cb481232299cd5743151ac4b2d63ae198e7bb0a987',
  ],
  [
    'bitcoincash:pqq3728yw0y47sqn6l2na30mcw6zm78dzq5ucqzc37',
    'a914011f28e473c95f4013d7d53ec5fbc3b42df8ed1087',
  ],
  [
    'bitcoincash:qr6m7j9njldwwzlg9v7v53unlr4jkmx6eylep8ekg2',
    '76a914f5bf48b397dae70be82b3cca4793f8eb2b6cdac988ac',
  ],
  ['bchtest:pr6m7j9njldwwzlg9v7v53unlr4jkmx6eyvwc0uz5t', 'a914f5bf48b397dae70be82b3cca4793f8eb2b6cdac987'],
  ['pref:pr6m7j9njldwwzlg9v7v53unlr4jkmx6ey65nvtks5', 'a914f5bf48b397dae70be82b3cca4793f8eb2b6cdac987'],
] as const

test.each(SPECIFICATION)('reads the CashAddr %s', (address, script) => {
  const prefix = address.slice(0, address.indexOf(':'))
  expect(hex(cashAddressScript(address, prefix))).toBe(script)
  if (script.startsWith('76')) expect(cashAddress(hexToBin(script.slice(6, 46)), prefix)).toBe(address)
})

test.each([
  // The specification has vectors of type 15, and with 24 bytes, whose scripts the signer does not know.
  ['prefix:0r6m7j9njldwwzlg9v7v53unlr4jkmx6ey3qnjwsrf', 'prefix'],
  ['bitcoincash:q9adhakpwzztepkpwp5z0dq62m6u5v5xtyj7j3h2ws4mr9g0', 'bitcoincash'],
  ['bitcoincash:', 'bitcoincash'],
  ['', 'bitcoincash'],
  ['bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a:', 'bitcoincash'],
])('refuses "%s" as CashAddr', (address, prefix) => {
  expect(() => cashAddressScript(address, prefix)).toThrow()
})

test('agrees with libauth on every CashAddr, and refuses one with a wrong letter', () => {
  const prefixes = ['bitcoincash', 'bchtest', 'bchreg'] as const
  const hashes = fc.uint8Array({ minLength: 20, maxLength: 20 })
  fc.assert(
    fc.property(hashes, fc.constantFrom(...prefixes), fc.nat(), fc.nat(), (hash, prefix, at, by) => {
      const { address } = encodeByLibrary({ payload: Uint8Array.from(hash), prefix, type: 'p2pkh' })
      expect(cashAddress(hash, prefix)).toBe(address)
      const letters = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'
      const position = prefix.length + 1 + (at % 42)
      const letter = letters[(letters.indexOf(address.charAt(position)) + 1 + (by % 31)) % 32] ?? ''
      const wrong = address.slice(0, position) + letter + address.slice(position + 1)
      expect(typeof decodeByLibrary(wrong)).toBe('string')
      expect(() => cashAddressScript(wrong, prefix)).toThrow()
    }),
  )
})

const all = openKeyring(mnemonicToSeedSync('all all all all all all all all all all all all'))
const at = (path: string) => all.at(parsePath(path) ?? [])

/**
 * Device tests of Trezor for Bitcoin Cash (tests/device_tests, "bcash") on the seed "all … all": keys,
 * amounts, bytes.
 */
const TREZOR = [
  {
    name: 'with change',
    inputs: [["m/44'/145'/0'/0/0", 1_995_344n]],
    raw: '0100000001781a716b1e15b41b07157933e5d777392a75bf87132650cb2e7d46fb8dc237bc000000006a473044022061aee4f17abe044d5df8c52c9ffd3b84e5a29743517e488b20ecf1ae0b3e4d3a02206bb84c55e407f3b684ff8d9bea0a3409cfd865795a19d10b3d3c31f12795c34a412103a020b36130021a0f037c1d1a02042e325c0cb666d6478c1afdcd9d913b9ef080ffffffff0272ee1c00000000001976a914b1401fce7e8bf123c88a0467e0ed11e3b9fbef5488acec1e0100000000001976a914d51eca49695cdf47e7f4b55507893e3ad53fe9d888ac00000000',
  },
  {
    name: 'with two inputs',
    inputs: [
      ["m/44'/145'/0'/1/0", 1_896_050n],
      ["m/44'/145'/0'/0/1", 73_452n],
    ],
    raw: '01000000022c06cf6f215c5cbfd7caa8e71b1b32630cabf1f816a4432815b037b277852e50000000006a47304402207a2a955f1cb3dc5f03f2c82934f55654882af4e852e5159639f6349e9386ec4002205fb8419dce4e648eae8f67bc4e369adfb130a87d2ea2d668f8144213b12bb457412103174c61e9c5362507e8061e28d2c0ce3d4df4e73f3535ae0b12f37809e0f92d2dffffffff2c06cf6f215c5cbfd7caa8e71b1b32630cabf1f816a4432815b037b277852e50010000006a473044022062151cf960b71823bbe68c7ed2c2a93ad1b9706a30255fddb02fcbe056d8c26102207bad1f0872bc5f0cfaf22e45c925c35d6c1466e303163b75cb7688038f1a5541412102595caf9aeb6ffdd0e82b150739a83297358b9a77564de382671056ad9e5b8c58ffffffff0170861d00000000001976a91434e9cec317896e818619ab7dc99d2305216ff4af88ac00000000',
  },
] as const

test('derives the published addresses of that seed', () => {
  expect(cashAddress(at("m/44'/145'/0'/0/0").keyHash, 'bitcoincash')).toBe(
    'bitcoincash:qr08q88p9etk89wgv05nwlrkm4l0urz4cyl36hh9sv',
  )
  expect(cashAddress(at("m/44'/145'/0'/1/0").keyHash, 'bitcoincash')).toBe(
    'bitcoincash:qzc5q87w069lzg7g3gzx0c8dz83mn7l02scej5aluw',
  )
})

test.each(TREZOR)('signs the published transaction $name to the same bytes', ({ inputs, raw }) => {
  const published = readTransaction(Buffer.from(raw, 'hex'), 'stripped')
  const keys = inputs.map(([path, amount]) => ({ key: at(path), amount }))
  const signed = signP2pkhForkId(published, keys)
  expect(signed).toMatchObject({ raw, hash: published.txid })
  expect(() => readBack(signed)).not.toThrow()
})

/** A transaction of the main network (July 2018). Its signature commits to the amount that it spent. */
const MINED = {
  txid: 'e1583427ce0b2ad9e4adc1621aada387f5d7b7fc105d7f0ea3d5d1339714cc88',
  raw: '0100000001892f8ddd7b54bb79278a3859ba4474a68eb28956d549e09aa5e121423e0c5cb6000000006b483045022100fac3c23687a75f23038d104a8545932db9815afdb6436daf2f52507a3a62da58022020ec3941165cfb6c054efd9f4cac757adab9d8c378953ed621d118106a1779c34121023839c718238a1795a12aa2f7af43816a7ca51dee1b45576d6c81bb7eed710f19ffffffff024a560000000000001976a9149879927890f86639802a85986bbb5f25ac18690d88ac88130000000000001976a9148e7000d85fc16085b08d22e098aaec8c1c1cd5fe88ac00000000',
  spent: 27_317n,
  keyHash: '9879927890f86639802a85986bbb5f25ac18690d',
} as const

test('computes the digest that a mined signature signs, and only with its amount', () => {
  const mined = readTransaction(Buffer.from(MINED.raw, 'hex'), 'stripped')
  expect(mined.txid).toBe(MINED.txid)
  const keyHash = hexToBin(MINED.keyHash)
  const r = 'fac3c23687a75f23038d104a8545932db9815afdb6436daf2f52507a3a62da58'
  const s = '20ec3941165cfb6c054efd9f4cac757adab9d8c378953ed621d118106a1779c3'
  const key = hexToBin('023839c718238a1795a12aa2f7af43816a7ca51dee1b45576d6c81bb7eed710f19')
  const verifies = (type: number, amount: bigint) =>
    ecc.verify(segwitSighash(mined, type)(0, keyHash, amount), key, hexToBin(r + s))
  expect(verifies(FORKID, MINED.spent)).toBe(true)
  expect(verifies(FORKID, MINED.spent - 1n)).toBe(false)
  expect(verifies(0x01, MINED.spent)).toBe(false)
})

test('computes the same digest as libauth for any input', () => {
  const output = fc.record({
    amount: fc.bigInt({ min: 0n, max: 21_000_000n * 10n ** 8n }),
    byte: fc.nat(255),
  })
  fc.assert(
    fc.property(
      fc.array(output, { minLength: 1, maxLength: 5 }),
      fc.array(output, { minLength: 1, maxLength: 5 }),
      fc.nat(),
      fc.integer({ min: 1, max: 2 }),
      fc.nat({ max: 0xffff_ffff }),
      (spent, paid, drawn, version, locktime) => {
        const index = drawn % spent.length
        const transaction = {
          version,
          locktime,
          inputs: spent.map(({ byte }, vout) => ({
            outpointTransactionHash: new Uint8Array(32).fill(byte),
            outpointIndex: vout,
            sequenceNumber: 0xffff_fffd - vout,
            unlockingBytecode: new Uint8Array(),
          })),
          outputs: paid.map(({ amount, byte }) => ({
            lockingBytecode: Uint8Array.from(
              Buffer.from(`76a914${'00'.repeat(19)}${hex(Uint8Array.of(byte))}88ac`, 'hex'),
            ),
            valueSatoshis: amount,
          })),
        }
        const keyHash = new Uint8Array(20).fill(spent[index]?.byte ?? 0)
        const amount = spent[index]?.amount ?? 0n
        const lockingBytecode = Uint8Array.from([0x76, 0xa9, 0x14, ...keyHash, 0x88, 0xac])
        const expected = generateSigningSerializationBCH(
          {
            inputIndex: index,
            sourceOutputs: spent.map((each) => ({ lockingBytecode, valueSatoshis: each.amount })),
            transaction,
          },
          { coveredBytecode: lockingBytecode, signingSerializationType: Uint8Array.of(FORKID) },
        )
        const raw = serialize(transaction)
        const digest = segwitSighash(readTransaction(raw, 'stripped'), FORKID)(index, keyHash, amount)
        expect(hex(digest)).toBe(hex(hash256(expected)))
      },
    ),
    { numRuns: 50 },
  )
})

interface LibraryTransaction {
  readonly version: number
  readonly locktime: number
  readonly inputs: readonly {
    readonly outpointTransactionHash: Uint8Array
    readonly outpointIndex: number
    readonly sequenceNumber: number
  }[]
  readonly outputs: readonly { readonly lockingBytecode: Uint8Array; readonly valueSatoshis: bigint }[]
}

function serialize({ version, inputs, outputs, locktime }: LibraryTransaction): Buffer {
  const u32 = (value: number) => {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32LE(value)
    return bytes
  }
  const u64 = (value: bigint) => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(value)
    return bytes
  }
  return Buffer.concat([
    u32(version),
    Buffer.from([inputs.length]),
    ...inputs.flatMap((input) => [
      Buffer.from(input.outpointTransactionHash).reverse(),
      u32(input.outpointIndex),
      Buffer.from([0]),
      u32(input.sequenceNumber),
    ]),
    Buffer.from([outputs.length]),
    ...outputs.flatMap((output) => [
      u64(output.valueSatoshis),
      Buffer.from([output.lockingBytecode.length]),
      output.lockingBytecode,
    ]),
    u32(locktime),
  ])
}

function place(path: string): Omit<SpendableOutput, 'txid' | 'vout' | 'amount'> {
  const key = keyring.at(parsePath(path) ?? [])
  return {
    address: cashAddress(key.keyHash, 'bitcoincash'),
    path,
    publicKey: hex(key.publicKey),
    masterFingerprint: keyring.fingerprint,
  }
}

const coin = fc.record({
  path: fc.constantFrom("m/44'/145'/0'/0/7", "m/44'/145'/0'/0/8", "m/44'/145'/1'/0/0", "m/44'/145'/1'/1/3"),
  amount: fc.bigInt({ min: 10_000n, max: 100_000_000n }),
})

test('signs any payout that the platform builds, with signatures that only this network accepts', async () => {
  const machine = createVirtualMachineBCH(true)
  let built = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(coin, { minLength: 1, maxLength: 6 }),
      fc.bigInt({ min: 5_000n, max: 200_000_000n }),
      fc.constantFrom('sender' as const, 'recipient' as const),
      fc.integer({ min: 1, max: 20 }),
      async (drawn, amount, feePayer, feeRate) => {
        const coins: Coin[] = drawn.map((each, salt) => ({ ...each, salt }))
        const parents = new Map(
          coins.map((each) => [railParent(bitcoinCash, each).getId(), railParent(bitcoinCash, each)]),
        )
        const source: TransactionSource = {
          fetch: async (txids) =>
            new Map(
              [...txids].map((txid) => [
                txid,
                parseTransaction(Buffer.from(parents.get(txid)?.toBuffer() ?? [])),
              ]),
            ),
        }
        const result = await buildPayout(
          {
            outputs: [{ address: bitcoinCash.recipient, amount }],
            change: place(bitcoinCash.changePath),
            candidates: coins.map((each) => ({
              ...place(each.path),
              txid: railParent(bitcoinCash, each).getId(),
              vout: 1,
              amount: each.amount,
            })),
            required: [],
            feeRate,
            feeLimit: 100_000n,
            feePayer,
          },
          cash,
          source,
        )
        if (result.kind !== 'built') return
        built++
        // The txid is a hash of its signatures too.
        expect(result.txid).toBeNull()
        const request = railRequest(bitcoinCash, {
          intent: { fee_payer: feePayer, outputs: [{ address: bitcoinCash.recipient, amount: `${amount}` }] },
        })
        const decision = decide({ ...request, payload: result.payload }, railsState())
        if (decision.outcome !== 'signed') throw new Error(`${decision.code}: ${decision.message}`)
        const { signedTransaction: raw, transactionHash: txid } = decision
        const payload = result.payload as UtxoPayload
        expect(verifySigned(payload, raw, 'bitcoin-cash')).toEqual({ txid, fee: result.fee })
        expect(() => verifySigned(payload, raw, 'bitcoin')).toThrow(/not validly signed/)
        // A short signature saves a byte or two. The size is never above the estimate.
        expect(raw.length / 2).toBeLessThanOrEqual(result.vsize)
        const sourceOutputs = result.inputs.map((input) => ({
          lockingBytecode: Uint8Array.from(scriptAt(bitcoinCash, input.path)),
          valueSatoshis: input.amount,
        }))
        const transaction = decodeTransactionUnsafeBCH(hexToBin(raw))
        expect(machine.verify({ sourceOutputs, transaction })).toBe(true)
      },
    ),
    { numRuns: 40 },
  )
  expect(built).toBeGreaterThan(10)
})

test('refuses at the platform a signature without FORKID, of a false amount, or with a push of another form', () => {
  const request = railRequest(bitcoinCash)
  const decision = decide(request, railsState())
  if (decision.outcome !== 'signed') throw new Error(decision.message)
  const payload = request.payload as UtxoPayload
  const raw = decision.signedTransaction
  expect(verifySigned(payload, raw, 'bitcoin-cash').txid).toBe(decision.transactionHash)
  const check = (changed: string) => expect(() => verifySigned(payload, changed, 'bitcoin-cash')).toThrow()
  const signed = readTransaction(Buffer.from(raw, 'hex'), 'stripped')
  const first = hex(signed.inputs[0]?.scriptSig ?? new Uint8Array())
  const pushed = Number.parseInt(first.slice(0, 2), 16)
  const typeAt = 2 + pushed * 2 - 2
  check(raw.replace(first, `${first.slice(0, typeAt)}01${first.slice(typeAt + 2)}`))
  check(raw.replace(first, `${first.slice(0, typeAt)}42${first.slice(typeAt + 2)}`))
  check(raw.replace(first, `${first.slice(0, 30)}${first[30] === '0' ? '1' : '0'}${first.slice(31)}`))
  const lengthBefore = (first.length / 2).toString(16)
  const longer = `4c${first}`
  check(raw.replace(`${lengthBefore}${first}`, `${(longer.length / 2).toString(16)}${longer}`))
  // Key and digest are right, but the signed amount is not the parent's.
  const keys = bitcoinCash.coins.map((each) => ({
    key: keyring.at(parsePath(each.path) ?? []),
    amount: each.amount + 1n,
  }))
  check(signP2pkhForkId(signed, keys).raw)
})

test('pays a recipient with a script hash by the script of its address', () => {
  const prefixes = { bech32: '', pub_key_hash: 0, script_hash: 5, cashaddr: 'bitcoincash' }
  expect(hex(addressScript('bitcoincash:ppm2qsznhks23z7629mms6s4cwef74vcwvn0h829pq', prefixes))).toBe(
    'a91476a04053bda0a88bda5177b86a15c3b29f55987387',
  )
  expect(() => addressScript('3CWFddi6m4ndiGyKqzYvsFYagqDLPVMTzC', prefixes)).toThrow()
})
