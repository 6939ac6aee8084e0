/** Parses a serialized block and proves that it is complete by its hash and its Merkle root. */

import { doubleSha256, toDisplayHex } from './double-sha256.js'
import { type ParsedTransaction, readTransaction } from './parse-transaction.js'

export interface ParsedBlock {
  readonly hash: string
  readonly parentHash: string
  /** Time in Unix seconds. */
  readonly time: number
  readonly transactions: readonly ParsedTransaction[]
}

const HEADER_BYTES = 80

/**
 * Parses a block.
 *
 * @param bytes - Answer of `getblock hash 0`. On Litecoin the extension block after a HogEx is ignored.
 * @throws Error if the transactions do not make the header's Merkle root: no block is better than a lost
 * deposit.
 */
export function parseBlock(bytes: Buffer): ParsedBlock {
  if (bytes.length <= HEADER_BYTES) throw new RangeError('The bytes end inside the header')
  const header = bytes.subarray(0, HEADER_BYTES)
  let at = HEADER_BYTES
  let count = bytes.readUInt8(at)
  at += 1
  if (count === 0xfd) {
    count = bytes.readUInt16LE(at)
    at += 2
  } else if (count === 0xfe) {
    count = bytes.readUInt32LE(at)
    at += 4
  } else if (count === 0xff) throw new RangeError('A block cannot hold that many transactions')

  const transactions: ParsedTransaction[] = []
  for (let i = 0; i < count; i++) {
    const transaction = readTransaction(bytes, at, { witnesses: false, alone: false })
    transactions.push(transaction)
    at = transaction.end
  }
  const extended = transactions.at(-1)?.mweb === true
  if (at !== bytes.length && !extended) throw new Error('There are bytes behind the last transaction')
  if (!merkleRoot(transactions.map((each) => each.hash)).equals(header.subarray(36, 68))) {
    throw new Error('The transactions do not make the Merkle root of the header')
  }
  return {
    hash: toDisplayHex(doubleSha256(header)),
    parentHash: toDisplayHex(header.subarray(4, 36)),
    time: header.readUInt32LE(68),
    transactions,
  }
}

function merkleRoot(hashes: readonly Buffer[]): Buffer {
  let row = hashes
  while (row.length > 1) {
    const next: Buffer[] = []
    for (let i = 0; i < row.length; i += 2) {
      const left = row[i] as Buffer
      next.push(doubleSha256(Buffer.concat([left, row[i + 1] ?? left])))
    }
    row = next
  }
  return row[0] ?? Buffer.alloc(32)
}
