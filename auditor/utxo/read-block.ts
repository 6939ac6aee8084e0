/** Reads the bytes of a block of the Bitcoin family, and proves by hashes that they are the block that was asked for. */

import { createHash } from 'node:crypto'
import { AuditFailure } from '../audit-failure.js'

export interface AuditedOutput {
  readonly txid: string
  readonly vout: number
  /** Amount in base units. */
  readonly amount: bigint
  /** Locking script in lower-case hex. */
  readonly script: string
}

export interface AuditedSpend {
  /** Transaction that spends. */
  readonly by: string
  readonly txid: string
  readonly vout: number
}

export interface AuditedBlock {
  readonly hash: string
  readonly parentHash: string
  readonly outputs: readonly AuditedOutput[]
  readonly spends: readonly AuditedSpend[]
}

const HEADER = 80
const NO_TRANSACTION = '0'.repeat(64)

/**
 * Reads a block (`getblock <hash> 0`). All that a node leaves out, adds or changes breaks a hash: the header must
 * have the hash that was asked for, and the transactions must make the root in the header.
 *
 * @throws AuditFailure `NODE_ANSWERS_WRONG`.
 */
export function readBlock(bytes: Buffer, hash: string): AuditedBlock {
  try {
    return read(bytes, hash)
  } catch (error) {
    if (error instanceof AuditFailure) throw error
    throw wrong(hash, 'its bytes end too early')
  }
}

function read(bytes: Buffer, hash: string): AuditedBlock {
  const header = bytes.subarray(0, HEADER)
  if (header.length < HEADER || display(sha256d(header)) !== hash) throw wrong(hash, 'it has another hash')
  const reader = new Reader(bytes, HEADER)
  const count = reader.size()
  const outputs: AuditedOutput[] = []
  const spends: AuditedSpend[] = []
  const ids: Buffer[] = []
  for (let index = 0; index < count; index++) ids.push(readTransaction(reader, outputs, spends))
  if (!rootOf(ids).equals(header.subarray(36, 68)))
    throw wrong(hash, 'its transactions are not those of its header')
  return { hash, parentHash: display(header.subarray(4, 36)), outputs, spends }
}

/** Reads a transaction and adds what it does. @returns The bytes of its id, which leave its witnesses out. */
function readTransaction(reader: Reader, outputs: AuditedOutput[], spends: AuditedSpend[]): Buffer {
  const version = reader.take(4)
  // A transaction without inputs is none, so a 0 marks the extended form, and a byte of flags follows.
  const flags = reader.peek() === 0 ? (reader.take(2)[1] ?? 0) : 0
  const start = reader.at
  const from: { txid: string; vout: number }[] = []
  for (let left = reader.size(); left > 0; left--) {
    from.push({ txid: display(reader.take(32)), vout: reader.take(4).readUInt32LE(0) })
    reader.take(reader.size())
    reader.take(4)
  }
  const to: { amount: bigint; script: string }[] = []
  for (let left = reader.size(); left > 0; left--) {
    const amount = reader.take(8).readBigUInt64LE(0)
    to.push({ amount, script: reader.take(reader.size()).toString('hex') })
  }
  const body = reader.between(start, reader.at)
  if ((flags & 1) !== 0) {
    for (const _input of from) for (let left = reader.size(); left > 0; left--) reader.take(reader.size())
  }
  // Litecoin marks the transaction of its extension block, and a byte 0 stands for the data.
  if ((flags & 8) !== 0 && reader.take(1)[0] !== 0) throw new RangeError('Extension data inside a block')
  const hash = sha256d(Buffer.concat([version, body, reader.take(4)]))
  const txid = display(hash)
  for (const [vout, output] of to.entries()) outputs.push({ txid, vout, ...output })
  for (const outpoint of from) if (outpoint.txid !== NO_TRANSACTION) spends.push({ by: txid, ...outpoint })
  return hash
}

class Reader {
  readonly #bytes: Buffer
  at: number

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes
    this.at = at
  }

  take(length: number): Buffer {
    const end = this.at + length
    if (end > this.#bytes.length) throw new RangeError('The bytes end')
    const taken = this.#bytes.subarray(this.at, end)
    this.at = end
    return taken
  }

  peek(): number {
    return this.#bytes.readUInt8(this.at)
  }

  between(start: number, end: number): Buffer {
    return this.#bytes.subarray(start, end)
  }

  /** Reads a CompactSize. One that is larger than the rest of the bytes ends in an error of `take`. */
  size(): number {
    const first = this.take(1).readUInt8(0)
    if (first < 0xfd) return first
    if (first === 0xfd) return this.take(2).readUInt16LE(0)
    if (first === 0xfe) return this.take(4).readUInt32LE(0)
    return Number(this.take(8).readBigUInt64LE(0))
  }
}

function sha256d(bytes: Uint8Array): Buffer {
  const once = createHash('sha256').update(bytes).digest()
  return createHash('sha256').update(once).digest()
}

/** Returns a hash as nodes write it: with its bytes reversed. */
function display(hash: Buffer): string {
  return Buffer.from(hash).reverse().toString('hex')
}

function rootOf(ids: readonly Buffer[]): Buffer {
  let level = [...ids]
  while (level.length > 1) {
    const row = level
    level = row.flatMap((left, index) =>
      index % 2 === 0 ? [sha256d(Buffer.concat([left, row[index + 1] ?? left]))] : [],
    )
  }
  return level[0] ?? Buffer.alloc(0)
}

function wrong(hash: string, why: string): AuditFailure {
  return new AuditFailure('NODE_ANSWERS_WRONG', `The node gave something else than block ${hash}: ${why}`)
}
