/** Makes raw Bitcoin blocks with real serialization, Merkle roots and parents. Only the work is missing. */

import { randomBytes } from 'node:crypto'
import { doubleSha256, toDisplayHex } from '../chains/utxo/parse/double-sha256.js'

/** A block, and its transactions by txid, in hex. */
export interface RawBlock {
  readonly hash: string
  readonly hex: string
  readonly transactions: readonly { readonly txid: string; readonly hex: string }[]
}

export interface BlockShape {
  readonly transactions: number
  readonly outputsPerTransaction: number
  readonly inputsPerTransaction: number
}

interface Raw {
  readonly hash: Buffer
  readonly bytes: Buffer
}

const HEADER_VERSION = 0x20000000
const SEQUENCE = Buffer.from('fdffffff', 'hex')
const FIRST_BLOCK_TIME = 1_700_000_000

/**
 * Makes consecutive blocks whose transactions spend outputs of the block before. All outputs are P2WPKH, so
 * that the scan must search for every one of them.
 *
 * @param payees - Returns the payees (20 bytes in hex) of a block, one for each transaction, besides
 * strangers.
 */
export function makeBlocks(
  count: number,
  shape: BlockShape,
  payees: (height: number) => string[],
): RawBlock[] {
  const blocks: RawBlock[] = []
  let parent: Buffer = Buffer.alloc(32)
  let spendable: readonly Buffer[] = [randomBytes(32)]
  for (let height = 0; height < count; height++) {
    const paid = payees(height)
    const raw = [
      coinbase(height),
      ...Array.from({ length: shape.transactions }, (_, index) =>
        transaction(
          shape,
          Array.from({ length: shape.inputsPerTransaction }, () => pick(spendable)),
          paid[index],
        ),
      ),
    ]
    const header = Buffer.alloc(80)
    header.writeInt32LE(HEADER_VERSION, 0)
    parent.copy(header, 4)
    merkleRoot(raw.map((each) => each.hash)).copy(header, 36)
    header.writeUInt32LE(FIRST_BLOCK_TIME + height * 600, 68)
    parent = doubleSha256(header)
    spendable = raw.slice(1).map((each) => each.hash)
    blocks.push({
      hash: toDisplayHex(parent),
      hex: Buffer.concat([header, compactSize(raw.length), ...raw.map((each) => each.bytes)]).toString('hex'),
      transactions: raw.map((each) => ({
        txid: toDisplayHex(each.hash),
        hex: each.bytes.toString('hex'),
      })),
    })
  }
  return blocks
}

function transaction(shape: BlockShape, parents: readonly Buffer[], payee: string | undefined): Raw {
  // The first outputs stay unspent: they pay watched addresses, and a stranger who spent them would be an
  // exception.
  const inputs = parents.map((hash, index) =>
    Buffer.concat([hash, u32(index + 1), Buffer.from([0]), SEQUENCE]),
  )
  const outputs = Array.from({ length: shape.outputsPerTransaction }, (_, index) =>
    output(1_000n + BigInt(index), index === 0 && payee ? Buffer.from(payee, 'hex') : randomBytes(20)),
  )
  // Each input has a signature and a public key.
  const witness = parents.map(() =>
    Buffer.concat([Buffer.from([2, 71]), randomBytes(71), Buffer.from([33]), randomBytes(33)]),
  )
  return serialize(inputs, outputs, witness)
}

function coinbase(height: number): Raw {
  const script = Buffer.concat([Buffer.from([4]), u32(height), randomBytes(8)])
  const input = Buffer.concat([
    Buffer.alloc(32),
    u32(0xffffffff),
    Buffer.from([script.length]),
    script,
    u32(0xffffffff),
  ])
  return serialize(
    [input],
    [output(312_500_000n, randomBytes(20))],
    [Buffer.concat([Buffer.from([1, 32]), Buffer.alloc(32)])],
  )
}

function serialize(inputs: readonly Buffer[], outputs: readonly Buffer[], witness: readonly Buffer[]): Raw {
  const version = u32(2)
  const body = Buffer.concat([compactSize(inputs.length), ...inputs, compactSize(outputs.length), ...outputs])
  const locktime = u32(0)
  return {
    hash: doubleSha256(Buffer.concat([version, body, locktime])),
    bytes: Buffer.concat([version, Buffer.from([0, 1]), body, ...witness, locktime]),
  }
}

function output(amount: bigint, payee: Uint8Array): Buffer {
  const value = Buffer.alloc(8)
  value.writeBigUInt64LE(amount)
  return Buffer.concat([value, Buffer.from([22, 0x00, 0x14]), payee])
}

function merkleRoot(hashes: readonly Buffer[]): Buffer {
  let row = hashes
  while (row.length > 1) {
    const next: Buffer[] = []
    for (let index = 0; index < row.length; index += 2) {
      const left = row[index] ?? Buffer.alloc(0)
      next.push(doubleSha256(Buffer.concat([left, row[index + 1] ?? left])))
    }
    row = next
  }
  return row[0] ?? Buffer.alloc(32)
}

function pick(hashes: readonly Buffer[]): Buffer {
  return hashes[Math.floor(Math.random() * hashes.length)] ?? Buffer.alloc(32)
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function compactSize(value: number): Buffer {
  if (value < 0xfd) return Buffer.from([value])
  const bytes = Buffer.from([0xfd, 0, 0])
  bytes.writeUInt16LE(value, 1)
  return bytes
}
