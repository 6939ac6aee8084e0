/**
 * Reads the id and one output of a parent transaction, and keeps nothing else: it may be as large as a
 * request.
 */

import { ByteReader } from './byte-reader.js'
import { hashOf, MAX_AMOUNT, type TransactionOutput } from './read-transaction.js'

/** Transaction whose output an input spends. */
export interface ParentTransaction {
  /** Id in lower-case hex. The hash leaves witnesses out. */
  readonly txid: string
  /** Output that is spent. `null` when the transaction has no such output. */
  readonly output: Pick<TransactionOutput, 'amount' | 'script'> | null
}

/**
 * Reads a transaction, with or without witnesses (BIP-144).
 *
 * @param vout - Index of the output that is spent.
 * @throws RangeError when the bytes are not exactly one canonical transaction.
 */
export function readParent(bytes: Uint8Array, vout: number): ParentTransaction {
  const reader = new ByteReader(bytes)
  reader.skip(4)
  const hasWitness = bytes[4] === 0 && bytes[5] === 1
  if (hasWitness) reader.skip(2)
  const start = reader.offset
  const inputs = reader.compactSize()
  for (let index = 0; index < inputs; index++) {
    reader.skip(36)
    reader.skip(reader.compactSize())
    reader.skip(4)
  }
  const output = readOutputs(reader, vout)
  const end = reader.offset
  if (hasWitness && skipWitnesses(reader, inputs) === 0) {
    throw new RangeError('A transaction without witnesses is serialised with a witness marker')
  }
  reader.skip(4)
  if (!reader.atEnd) throw new RangeError('Bytes follow the transaction')
  const txid = hasWitness
    ? hashOf(bytes.subarray(0, 4), bytes.subarray(start, end), bytes.subarray(bytes.length - 4))
    : hashOf(bytes)
  return { txid, output }
}

function readOutputs(reader: ByteReader, vout: number): ParentTransaction['output'] {
  const outputs = reader.compactSize()
  let spent: ParentTransaction['output'] = null
  for (let index = 0; index < outputs; index++) {
    const amount = reader.u64()
    if (amount > MAX_AMOUNT) throw new RangeError('An output amount is out of range')
    const length = reader.compactSize()
    if (index === vout) spent = { amount, script: reader.take(length) }
    else reader.skip(length)
  }
  return spent
}

/** Skips the witnesses. @returns The number of witness items. */
function skipWitnesses(reader: ByteReader, inputs: number): number {
  let all = 0
  for (let index = 0; index < inputs; index++) {
    const items = reader.compactSize()
    for (let item = 0; item < items; item++) reader.skip(reader.compactSize())
    all += items
  }
  return all
}
