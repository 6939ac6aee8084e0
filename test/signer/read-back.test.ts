/** Tests that signed bytes are read back before they are stored or leave. */

import { Transaction } from 'bitcoinjs-lib'
import { keccak256 } from 'viem'
import { describe, expect, test } from 'vitest'
import { signTypeTwo } from '../../signer/evm/sign-type-two.js'
import { readBack, type Unread } from '../../signer/helpers/read-back.js'
import { parsePath } from '../../signer/keys/path.js'
import { readPsbt } from '../../signer/utxo/read-psbt.js'
import { signP2pkhForkId } from '../../signer/utxo/sign-p2pkh-forkid.js'
import { signP2wpkh } from '../../signer/utxo/sign-p2wpkh.js'
import { COINS, keyring, makePsbt, PAYING_PATH } from './fixture.js'

const transaction = {
  chainId: 31_337n,
  nonce: 5n,
  maxPriorityFeePerGas: 1_000_000_000n,
  maxFeePerGas: 30_000_000_000n,
  gas: 21_000n,
  to: '0x70997970C51812dc3A010C7d01b50e0d17dc79C8',
  value: 1_500_000_000_000_000_000n,
  data: '0x',
}
const payingKey = keyring.at(parsePath(PAYING_PATH) ?? [])
const typeTwo = signTypeTwo(transaction, payingKey)
const coins = COINS.map((coin) => ({ key: keyring.at(parsePath(coin.path) ?? []), amount: coin.amount }))
const unsigned = readPsbt(makePsbt()).transaction
const SIGNED: Readonly<Record<string, Unread>> = {
  'EIP-1559': typeTwo,
  P2WPKH: signP2wpkh(unsigned, coins),
  'P2PKH with FORKID': signP2pkhForkId(unsigned, coins),
}

describe.each(Object.entries(SIGNED))('a signed transaction of kind %s', (_, signed) => {
  test('is read back as what was checked', () => {
    expect(() => readBack(signed)).not.toThrow()
  })

  test('holds no private key that another thread would get', () => {
    const secrets = [payingKey, ...coins.map(({ key }) => key)].map(({ privateKey }) => hexOf(privateKey))
    const text = JSON.stringify(signed, (_name, value) =>
      typeof value === 'bigint' ? value.toString() : value instanceof Uint8Array ? hexOf(value) : value,
    )
    for (const secret of secrets) expect(text).not.toContain(secret)
  })

  test('is not read back with any of its bytes changed, missing or added', () => {
    const digits = signed.raw.replace('0x', '')
    const prefix = signed.raw.slice(0, signed.raw.length - digits.length)
    for (let at = 0; at < digits.length; at += 2) {
      const byte = (Number.parseInt(digits.slice(at, at + 2), 16) ^ 1).toString(16).padStart(2, '0')
      const raw = `${prefix}${digits.slice(0, at)}${byte}${digits.slice(at + 2)}`
      expect(isRead({ ...signed, raw }), `byte ${at / 2}`).toBe(false)
      expect(isRead({ ...signed, raw, hash: hashOfRaw(signed.family, raw) }), `byte ${at / 2}`).toBe(false)
    }
    for (const raw of [signed.raw.slice(0, -2), `${signed.raw}00`, `${signed.raw}zz`, `${signed.raw}0`])
      expect(isRead({ ...signed, raw })).toBe(false)
  })

  test('is not read back with another hash', () => {
    const hash = signed.hash.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'))
    expect(isRead({ ...signed, hash })).toBe(false)
  })
})

test.each(Object.keys(transaction))('reads no EIP-1559 transaction back whose %s was another', (field) => {
  const value = Reflect.get(transaction, field)
  const other = typeof value === 'bigint' ? value + 1n : `${value.slice(0, -2)}01`
  expect(isRead({ ...typeTwo, transaction: { ...transaction, [field]: other } })).toBe(false)
})

test.each(['P2WPKH', 'P2PKH with FORKID'])(
  'reads no %s transaction back with another amount or key',
  (kind) => {
    const signed = SIGNED[kind]
    if (signed?.family !== 'utxo') throw new Error(kind)
    const [first, second] = signed.inputs
    if (!first || !second) throw new Error('It has two inputs')
    const other = (inputs: typeof signed.inputs) => isRead({ ...signed, inputs })
    expect(other([{ ...first, amount: first.amount + 1n }, second])).toBe(false)
    expect(other([second, first])).toBe(false)
    expect(other([first])).toBe(false)
    expect(other([first, { ...second, point: first.point }])).toBe(false)
  },
)

function isRead(unread: Unread): boolean {
  try {
    readBack(unread)
    return true
  } catch {
    return false
  }
}

/** Returns the hash that bytes have, so that they differ in nothing but themselves. */
function hashOfRaw(family: Unread['family'], raw: string): string {
  if (family === 'evm') return keccak256(raw as `0x${string}`)
  try {
    return Transaction.fromHex(raw).getId()
  } catch {
    return ''
  }
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
