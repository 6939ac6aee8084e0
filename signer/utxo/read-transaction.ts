/**
 * Parses a raw Bitcoin-like transaction, with or without witnesses (BIP-144). It shares no code with the
 * platform.
 */

import { createHash } from 'node:crypto'
import { ByteReader } from './byte-reader.js'

export interface TransactionInput {
  /** Id in the usual, reversed display order. */
  readonly txid: string
  readonly vout: number
  readonly scriptSig: Uint8Array
  readonly sequence: number
  readonly witness: readonly Uint8Array[]
  /** The 36 bytes of the outpoint as serialised. */
  readonly outpointBytes: Uint8Array
}

export interface TransactionOutput {
  readonly amount: bigint
  readonly script: Uint8Array
  /** Amount and script as serialised. */
  readonly bytes: Uint8Array
}

export interface Transaction {
  readonly version: number
  readonly inputs: readonly TransactionInput[]
  readonly outputs: readonly TransactionOutput[]
  readonly locktime: number
  /** Id in lower-case hex. The hash leaves witnesses out. */
  readonly txid: string
}

/** Most inputs, outputs or witness items of an own transaction that is read back. */
const MAX_COUNT = 100_000
const NO_BOUNDS = { inputs: MAX_COUNT, outputs: MAX_COUNT }

/** Highest amount, which fits a signed 64-bit integer. */
export const MAX_AMOUNT = (1n << 63n) - 1n

/**
 * Parses a transaction.
 *
 * @param form - `either` accepts witnesses. `stripped` (a PSBT's unsigned transaction) does not know them.
 * @param most - Most inputs and outputs of a transaction that another party wrote. A larger one is not read.
 * @throws RangeError when the bytes are not exactly one canonical transaction.
 */
export function readTransaction(
  bytes: Uint8Array,
  form: 'either' | 'stripped',
  most: { readonly inputs: number; readonly outputs: number } = NO_BOUNDS,
): Transaction {
  const reader = new ByteReader(bytes)
  const version = reader.i32()
  const hasWitness = form === 'either' && bytes[4] === 0 && bytes[5] === 1
  if (hasWitness) reader.take(2)
  const bodyStart = reader.offset
  const bare = Array.from({ length: count(reader, most.inputs) }, () => readInput(reader))
  const outputs = Array.from({ length: count(reader, most.outputs) }, () => readOutput(reader, bytes))
  const bodyEnd = reader.offset
  const inputs = hasWitness ? bare.map((input) => ({ ...input, witness: readWitness(reader, bytes) })) : bare
  if (hasWitness && inputs.every((input) => input.witness.length === 0)) {
    throw new RangeError('A transaction without witnesses is serialised with a witness marker')
  }
  const locktime = reader.u32()
  if (!reader.atEnd) throw new RangeError('Bytes follow the transaction')
  const txid = hasWitness
    ? hashOf(bytes.subarray(0, 4), bytes.subarray(bodyStart, bodyEnd), bytes.subarray(bytes.length - 4))
    : hashOf(bytes)
  return { version, inputs, outputs, locktime, txid }
}

/** Reads a count. A false count must not allocate memory. */
function count(reader: ByteReader, most: number): number {
  const value = reader.compactSize()
  if (value > most)
    throw new RangeError(`A transaction has ${value} inputs, outputs or witnesses of at most ${most}`)
  return value
}

function readInput(reader: ByteReader): TransactionInput {
  const outpointBytes = reader.take(36)
  const view = Buffer.from(outpointBytes.buffer, outpointBytes.byteOffset, 36)
  return {
    txid: Buffer.from(view.subarray(0, 32)).reverse().toString('hex'),
    vout: view.readUInt32LE(32),
    outpointBytes,
    scriptSig: reader.takeSized(),
    sequence: reader.u32(),
    witness: [],
  }
}

function readOutput(reader: ByteReader, bytes: Uint8Array): TransactionOutput {
  const start = reader.offset
  const amount = reader.u64()
  if (amount > MAX_AMOUNT) throw new RangeError('An output amount is out of range')
  const script = reader.takeSized()
  return { amount, script, bytes: bytes.subarray(start, reader.offset) }
}

function readWitness(reader: ByteReader, bytes: Uint8Array): Uint8Array[] {
  return Array.from({ length: count(reader, bytes.length) }, () => reader.takeSized())
}

/** Returns SHA-256 applied twice, in the display order of ids. */
export function hashOf(...parts: readonly Uint8Array[]): string {
  const once = createHash('sha256')
  for (const part of parts) once.update(part)
  return createHash('sha256').update(once.digest()).digest().reverse().toString('hex')
}
