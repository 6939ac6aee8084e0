/**
 * Parses serialized transactions: fast enough for every block, strict enough to check what a signer returns.
 *
 * It reads the original format, BIP-144 (flag 0x01), and Litecoin's MWEB (flag 0x08, LIP-0002 and LIP-0003).
 */

import { doubleSha256, toDisplayHex } from './double-sha256.js'

export interface ParsedInput {
  readonly prevTxid: string
  readonly prevVout: number
  readonly scriptSig: Buffer
  readonly sequence: number
  /** Witness. Empty without one, and if the caller did not ask for witnesses. */
  readonly witness: readonly Buffer[]
}

export interface ParsedOutput {
  /** Amount in base units. */
  readonly amount: bigint
  readonly script: Buffer
}

export interface ParsedTransaction {
  readonly txid: string
  /** Bytes of the txid as hashed (not reversed). */
  readonly hash: Buffer
  readonly version: number
  readonly inputs: readonly ParsedInput[]
  readonly outputs: readonly ParsedOutput[]
  readonly locktime: number
  /** Bytes of which the txid is the hash: without witnesses and MWEB data. */
  readonly stripped: Buffer
  /** Whether it carries Litecoin's MWEB flag. */
  readonly mweb: boolean
  /** Offset behind its last byte. */
  readonly end: number
}

const FLAG_WITNESS = 0x01
const FLAG_MWEB = 0x08
const NO_WITNESS: readonly Buffer[] = []

/** Parses bytes that hold exactly one transaction. @throws RangeError or Error if they do not. */
export function parseTransaction(bytes: Buffer): ParsedTransaction {
  const transaction = readTransaction(bytes, 0, { witnesses: true, alone: true })
  if (transaction.end !== bytes.length) throw new Error('There are bytes behind the transaction')
  return transaction
}

/**
 * Reads the transaction that starts at an offset.
 *
 * @param options.witnesses - Whether to keep witnesses (they are skipped otherwise).
 * @param options.alone - Whether the transaction is all that follows, so that MWEB data inside it can be
 *   skipped.
 */
export function readTransaction(
  bytes: Buffer,
  start: number,
  options: { readonly witnesses: boolean; readonly alone: boolean },
): ParsedTransaction {
  const cursor = { bytes, at: start }
  const version = bytes.readInt32LE(start)
  cursor.at = start + 4
  let flags = 0
  if (bytes[cursor.at] === 0 && bytes[cursor.at + 1] !== 0) {
    flags = bytes.readUInt8(cursor.at + 1)
    if ((flags & ~(FLAG_WITNESS | FLAG_MWEB)) !== 0) throw new Error(`Unknown transaction flags ${flags}`)
    cursor.at += 2
  }

  const bodyStart = cursor.at
  const inputCount = readCount(cursor, 41)
  const heads: Omit<ParsedInput, 'witness'>[] = []
  for (let i = 0; i < inputCount; i++) {
    const prevTxid = toDisplayHex(take(cursor, 32))
    const prevVout = readUInt32(cursor)
    const scriptSig = take(cursor, readCount(cursor, 1))
    heads.push({ prevTxid, prevVout, scriptSig, sequence: readUInt32(cursor) })
  }
  const outputCount = readCount(cursor, 9)
  const outputs: ParsedOutput[] = []
  for (let i = 0; i < outputCount; i++) {
    const amount = bytes.readBigUInt64LE(cursor.at)
    cursor.at += 8
    outputs.push({ amount, script: take(cursor, readCount(cursor, 1)) })
  }
  const bodyEnd = cursor.at

  const inputs: ParsedInput[] = []
  for (const head of heads) {
    const witness = flags & FLAG_WITNESS ? readWitness(cursor, options.witnesses) : NO_WITNESS
    inputs.push({ ...head, witness })
  }
  if (flags & FLAG_MWEB) skipMweb(cursor, options.alone)
  const locktime = readUInt32(cursor)
  const end = cursor.at

  const stripped =
    flags === 0
      ? bytes.subarray(start, end)
      : Buffer.concat([
          bytes.subarray(start, start + 4),
          bytes.subarray(bodyStart, bodyEnd),
          bytes.subarray(end - 4, end),
        ])
  const hash = doubleSha256(stripped)
  return {
    txid: toDisplayHex(hash),
    hash,
    version,
    inputs,
    outputs,
    locktime,
    stripped,
    mweb: (flags & FLAG_MWEB) !== 0,
    end,
  }
}

interface Cursor {
  readonly bytes: Buffer
  at: number
}

/**
 * Skips MWEB data. In a block the flag marks the HogEx and an empty pointer follows; only in the mempool
 * there is data, up to the locktime.
 */
function skipMweb(cursor: Cursor, alone: boolean): void {
  if (cursor.bytes.readUInt8(cursor.at) === 0) {
    cursor.at += 1
    return
  }
  if (!alone) throw new Error('MWEB data inside a block’s transaction')
  cursor.at = cursor.bytes.length - 4
}

function readWitness(cursor: Cursor, keep: boolean): readonly Buffer[] {
  const count = readCount(cursor, 1)
  if (!keep) {
    for (let i = 0; i < count; i++) {
      // Two statements, because the length's own bytes move the cursor before the item does.
      const length = readCount(cursor, 1)
      cursor.at += length
    }
    return NO_WITNESS
  }
  const items: Buffer[] = []
  for (let i = 0; i < count; i++) items.push(take(cursor, readCount(cursor, 1)))
  return items
}

function take(cursor: Cursor, length: number): Buffer {
  const end = cursor.at + length
  if (end > cursor.bytes.length) throw new RangeError('The bytes end inside a transaction')
  const slice = cursor.bytes.subarray(cursor.at, end)
  cursor.at = end
  return slice
}

function readUInt32(cursor: Cursor): number {
  const value = cursor.bytes.readUInt32LE(cursor.at)
  cursor.at += 4
  return value
}

/**
 * Reads a CompactSize that counts items of at least `size` bytes each. It refuses more than the remaining
 * bytes could hold.
 */
function readCount(cursor: Cursor, size: number): number {
  const { bytes } = cursor
  const first = bytes.readUInt8(cursor.at)
  let count = first
  cursor.at += 1
  if (first === 0xfd) {
    count = bytes.readUInt16LE(cursor.at)
    cursor.at += 2
  } else if (first === 0xfe) {
    count = bytes.readUInt32LE(cursor.at)
    cursor.at += 4
  } else if (first === 0xff) {
    count = Number(bytes.readBigUInt64LE(cursor.at))
    cursor.at += 8
  }
  if (count * size > bytes.length - cursor.at) throw new RangeError('A count is larger than what follows')
  return count
}
