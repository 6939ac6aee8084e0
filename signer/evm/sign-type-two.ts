/** Signs an EIP-1559 transaction and reads the result back before it may leave. */

import { keccak_256 } from '@noble/hashes/sha3.js'
import * as ecc from 'tiny-secp256k1'
import type { LeafKey } from '../keys/keyring.js'
import { decodeRlp, encodeRlp, integerBytes, type RlpItem } from './rlp.js'

/** Fields of an EIP-1559 transaction. The access list is always empty. */
export interface TypeTwoTransaction {
  readonly chainId: bigint
  readonly nonce: bigint
  readonly maxPriorityFeePerGas: bigint
  readonly maxFeePerGas: bigint
  readonly gas: bigint
  /** Recipient or contract, `0x` and 40 hex digits. */
  readonly to: string
  readonly value: bigint
  /** Calldata, `0x…`. */
  readonly data: string
}

/** A signed transaction as `0x…`, and its keccak256. */
export interface SignedTransaction {
  readonly raw: string
  readonly hash: string
}

const TYPE = Buffer.from([0x02])

/**
 * Signs a transaction (RFC 6979, so the same fields always give the same bytes). Then it parses the raw bytes
 * again, compares every field and verifies the signature with the paying key.
 *
 * @throws Error when the result differs from the checked transaction.
 */
export function signTypeTwo(transaction: TypeTwoTransaction, key: LeafKey): SignedTransaction {
  const fields: RlpItem[] = [
    integerBytes(transaction.chainId),
    integerBytes(transaction.nonce),
    integerBytes(transaction.maxPriorityFeePerGas),
    integerBytes(transaction.maxFeePerGas),
    integerBytes(transaction.gas),
    Buffer.from(transaction.to.slice(2), 'hex'),
    integerBytes(transaction.value),
    Buffer.from(transaction.data.slice(2), 'hex'),
    [],
  ]
  const digest = keccak_256(Buffer.concat([TYPE, encodeRlp(fields)]))
  const { signature, recoveryId } = ecc.signRecoverable(digest, key.privateKey)
  const raw = Buffer.concat([
    TYPE,
    encodeRlp([
      ...fields,
      integerBytes(BigInt(recoveryId)),
      trimmed(signature.subarray(0, 32)),
      trimmed(signature.subarray(32)),
    ]),
  ])
  verify(raw, transaction, digest, key)
  return { raw: `0x${raw.toString('hex')}`, hash: `0x${Buffer.from(keccak_256(raw)).toString('hex')}` }
}

function verify(raw: Buffer, expected: TypeTwoTransaction, digest: Uint8Array, key: LeafKey): void {
  const items = decodeRlp(raw.subarray(1))
  if (raw[0] !== TYPE[0] || items instanceof Uint8Array || items.length !== 12) throw differs('shape')
  const integer = (index: number): bigint => {
    const bytes = bytesAt(items, index)
    if (bytes[0] === 0) throw differs('an integer has leading zeros')
    return bytes.length === 0 ? 0n : BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
  }
  const hex = (index: number) => `0x${Buffer.from(bytesAt(items, index)).toString('hex')}`
  const same =
    integer(0) === expected.chainId &&
    integer(1) === expected.nonce &&
    integer(2) === expected.maxPriorityFeePerGas &&
    integer(3) === expected.maxFeePerGas &&
    integer(4) === expected.gas &&
    hex(5) === expected.to.toLowerCase() &&
    integer(6) === expected.value &&
    hex(7) === expected.data.toLowerCase() &&
    isEmptyList(items[8]) &&
    integer(9) <= 1n
  if (!same) throw differs('a field')
  const signature = Buffer.concat([padded(bytesAt(items, 10)), padded(bytesAt(items, 11))])
  if (!ecc.verify(digest, key.point, signature, true)) throw differs('the signature')
}

function bytesAt(items: readonly RlpItem[], index: number): Uint8Array {
  const item = items[index]
  if (!(item instanceof Uint8Array)) throw differs('shape')
  return item
}

function isEmptyList(item: RlpItem | undefined): boolean {
  return Array.isArray(item) && item.length === 0
}

function trimmed(bytes: Uint8Array): Uint8Array {
  let start = 0
  while (start < bytes.length && bytes[start] === 0) start++
  return bytes.subarray(start)
}

function padded(bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.alloc(32 - bytes.length), bytes])
}

function differs(what: string): Error {
  return new Error(`The signed transaction differs from what was checked: ${what}`)
}
