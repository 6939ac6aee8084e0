/** Reads a signed EIP-1559 transaction back and compares it with what was checked. */

import { keccak_256 } from '@noble/hashes/sha3.js'
import * as ecc from 'tiny-secp256k1'
import { decodeRlp, encodeRlp, type RlpItem } from './rlp.js'
import { TYPE_TWO, type TypeTwoTransaction } from './type-two.js'

/** A signed transaction that was not read back yet. It holds no secret. */
export interface UnreadTypeTwo {
  readonly family: 'evm'
  /** Signed transaction, `0x…`. */
  readonly raw: string
  /** Hash of `raw`. */
  readonly hash: string
  /** Fields that the checks saw. */
  readonly transaction: TypeTwoTransaction
  /** Uncompressed public key of the account that pays, 65 bytes. */
  readonly point: Uint8Array
}

/** Items of a signed transaction: nine fields, then the signature. */
const FIELDS = 9
const ITEMS = 12

/**
 * Parses the raw bytes, compares every field with the checked transaction, and verifies the signature over
 * the fields that were read.
 *
 * @throws Error when the bytes differ from the checked transaction.
 */
export function readBackTypeTwo({ raw, hash, transaction: expected, point }: UnreadTypeTwo): void {
  const bytes = Buffer.from(raw.slice(2), 'hex')
  if (`0x${bytes.toString('hex')}` !== raw) throw differs('shape')
  if (`0x${Buffer.from(keccak_256(bytes)).toString('hex')}` !== hash) throw differs('the hash')
  const items = decodeRlp(bytes.subarray(1))
  if (bytes[0] !== TYPE_TWO[0] || items instanceof Uint8Array || items.length !== ITEMS)
    throw differs('shape')
  const integer = (index: number): bigint => {
    const digits = bytesAt(items, index)
    if (digits[0] === 0) throw differs('an integer has leading zeros')
    return digits.length === 0 ? 0n : BigInt(`0x${Buffer.from(digits).toString('hex')}`)
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
  const digest = keccak_256(Buffer.concat([TYPE_TWO, encodeRlp(items.slice(0, FIELDS))]))
  const signature = Buffer.concat([padded(bytesAt(items, 10)), padded(bytesAt(items, 11))])
  if (!ecc.verify(digest, point, signature, true)) throw differs('the signature')
}

function bytesAt(items: readonly RlpItem[], index: number): Uint8Array {
  const item = items[index]
  if (!(item instanceof Uint8Array)) throw differs('shape')
  return item
}

function isEmptyList(item: RlpItem | undefined): boolean {
  return Array.isArray(item) && item.length === 0
}

function padded(bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.alloc(32 - bytes.length), bytes])
}

function differs(what: string): Error {
  return new Error(`The signed transaction differs from what was checked: ${what}`)
}
