/** Parses blocks, compared with bitcoinjs-lib. */

import { readFileSync } from 'node:fs'
import { Block, Transaction } from 'bitcoinjs-lib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Spend, Transfer } from '../../../../chains/adapter.js'
import { addMovements } from '../../../../chains/utxo/parse/movements-of-transaction.js'
import { parseBlock } from '../../../../chains/utxo/parse/parse-block.js'
import { parseTransaction } from '../../../../chains/utxo/parse/parse-transaction.js'
import { legacyNetwork, testNetwork } from '../test-network.js'

const GENESIS =
  '0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c0101000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff001d0104455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f66207365636f6e64206261696c6f757420666f722062616e6b73ffffffff0100f2052a01000000434104678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5fac00000000'

const bytes = (min: number, max: number) =>
  fc.uint8Array({ minLength: min, maxLength: max }).map((each) => Buffer.from(each))
const keyHash = bytes(20, 20)
const outputScript = fc.oneof(
  keyHash.map((hash) => Buffer.concat([Buffer.from('0014', 'hex'), hash])),
  keyHash.map((hash) => Buffer.concat([Buffer.from('76a914', 'hex'), hash, Buffer.from('88ac', 'hex')])),
  keyHash.map((hash) => Buffer.concat([Buffer.from('a914', 'hex'), hash, Buffer.from('87', 'hex')])),
  bytes(0, 600),
)
const transaction = fc
  .record({
    version: fc.integer({ min: 1, max: 2 }),
    locktime: fc.nat(),
    inputs: fc.array(
      fc.record({
        hash: bytes(32, 32),
        index: fc.nat(),
        sequence: fc.nat({ max: 0xffffffff }),
        script: bytes(0, 120),
        witness: fc.array(bytes(0, 300), { maxLength: 4 }),
      }),
      { minLength: 1, maxLength: 4 },
    ),
    outputs: fc.array(
      fc.record({ script: outputScript, amount: fc.bigInt({ min: 0n, max: 21n * 10n ** 14n }) }),
      {
        minLength: 1,
        maxLength: 5,
      },
    ),
  })
  .map(({ version, locktime, inputs, outputs }) => {
    const made = new Transaction()
    made.version = version
    made.locktime = locktime
    for (const [index, input] of inputs.entries()) {
      made.addInput(input.hash, input.index, input.sequence, input.script)
      if (input.witness.length > 0) made.setWitness(index, input.witness)
    }
    for (const output of outputs) made.addOutput(output.script, output.amount)
    return made
  })
const block = fc
  .record({
    transactions: fc.array(transaction, { minLength: 1, maxLength: 9 }),
    prevHash: bytes(32, 32),
    time: fc.nat(),
  })
  .map(({ transactions, prevHash, time }) => {
    const made = new Block()
    made.prevHash = prevHash
    made.timestamp = time
    made.merkleRoot = Block.calculateMerkleRoot(transactions)
    made.transactions = transactions
    return made
  })

describe('parseBlock', () => {
  test('reads the genesis block', () => {
    const parsed = parseBlock(Buffer.from(GENESIS, 'hex'))
    expect(parsed.hash).toBe('000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f')
    expect(parsed.parentHash).toBe('0'.repeat(64))
    expect(parsed.time).toBe(1231006505)
    expect(parsed.transactions.map((each) => each.txid)).toEqual([
      '4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b',
    ])
  })

  test('agrees with bitcoinjs-lib on any block', () => {
    fc.assert(
      fc.property(block, (expected) => {
        const raw = Buffer.from(expected.toBuffer())
        const parsed = parseBlock(raw)
        const golden = Block.fromBuffer(raw)
        expect(parsed.hash).toBe(golden.getId())
        expect(parsed.parentHash).toBe(
          Buffer.from(golden.prevHash ?? [])
            .reverse()
            .toString('hex'),
        )
        expect(parsed.time).toBe(golden.timestamp)
        expect(parsed.transactions.map(plain)).toEqual((golden.transactions ?? []).map(plainGolden))
      }),
      { numRuns: 300 },
    )
  })

  test('refuses a block of which a byte was changed or that was cut short', () => {
    fc.assert(
      fc.property(block, fc.nat(), (made, seed) => {
        const raw = Buffer.from(made.toBuffer())
        // The last transaction's locktime: bytes that the Merkle root covers.
        const last = raw.length - 1 - (seed % 4)
        const changed = Buffer.from(raw)
        changed[last] = (changed[last] ?? 0) ^ 0x01
        expect(() => parseBlock(changed)).toThrow()
        expect(() => parseBlock(raw.subarray(0, raw.length - 1))).toThrow()
        expect(() => parseBlock(Buffer.concat([raw, Buffer.from([0])]))).toThrow()
      }),
    )
  })

  test('reads Litecoin blocks with a HogEx and an extension block', () => {
    for (const expected of litecoin.blocks) {
      const parsed = parseBlock(Buffer.from(expected.hex, 'hex'))
      expect(parsed.hash).toBe(expected.hash)
      expect(parsed.parentHash).toBe(expected.parent)
      expect(parsed.time).toBe(expected.time)
      expect(parsed.transactions.map((each) => each.txid)).toEqual(expected.txids)
      expect(parsed.transactions.map((each) => each.mweb)).toEqual([false, false, true])
    }
  })

  test('reads what Litecoin’s mempool holds: a peg-in, and a transaction without inputs and outputs', () => {
    const pegIn = parseTransaction(Buffer.from(litecoin.pegIn.hex, 'hex'))
    expect(pegIn.txid).toBe(litecoin.pegIn.txid)
    expect(pegIn.outputs).toHaveLength(1)
    const mwebOnly = parseTransaction(Buffer.from(litecoin.mwebOnly.hex, 'hex'))
    expect([...mwebOnly.inputs, ...mwebOnly.outputs]).toEqual([])
  })
})

describe('addMovements', () => {
  test('reports P2WPKH outputs on SegWit networks and P2PKH outputs on others, never the other template', () => {
    const hash = 'ab'.repeat(20)
    const made = new Transaction()
    made.addInput(Buffer.alloc(32, 9), 3)
    made.addOutput(Buffer.from(`0014${hash}`, 'hex'), 7n)
    made.addOutput(Buffer.from(`76a914${hash}88ac`, 'hex'), 8n)
    made.addOutput(Buffer.from(`0014${hash}`, 'hex'), 0n)
    made.addOutput(Buffer.from(`0014${hash}`, 'hex'), 9n)
    const parsed = parseTransaction(Buffer.from(made.toBuffer()))
    const look = (network = testNetwork()) => {
      const transfers: Transfer[] = []
      const spends: Spend[] = []
      addMovements(parsed, network, transfers, spends)
      return { transfers, spends }
    }
    const { txid } = parsed
    expect(look().transfers).toEqual([
      { txid, index: 0, payee: hash, coin: 'btc', amount: 7n },
      { txid, index: 3, payee: hash, coin: 'btc', amount: 9n },
    ])
    expect(look(legacyNetwork()).transfers).toEqual([
      { txid, index: 1, payee: hash, coin: 'btc', amount: 8n },
    ])
    expect(look().spends).toEqual([{ txid, prevTxid: '09'.repeat(32), prevVout: 3 }])
  })
})

const litecoin: {
  blocks: { hash: string; parent: string; time: number; txids: string[]; hex: string }[]
  pegIn: { txid: string; hex: string }
  mwebOnly: { hex: string }
} = JSON.parse(readFileSync(new URL('../../../vectors/litecoin-mweb.json', import.meta.url), 'utf8'))

function plain(parsed: ReturnType<typeof parseTransaction>) {
  return {
    txid: parsed.txid,
    version: parsed.version,
    locktime: parsed.locktime,
    inputs: parsed.inputs.map((each) => [
      each.prevTxid,
      each.prevVout,
      each.sequence,
      each.scriptSig.toString('hex'),
    ]),
    outputs: parsed.outputs.map((each) => [each.amount, each.script.toString('hex')]),
  }
}

function plainGolden(golden: Transaction) {
  return {
    txid: golden.getId(),
    version: golden.version,
    locktime: golden.locktime,
    inputs: golden.ins.map((each) => [
      Buffer.from(each.hash).reverse().toString('hex'),
      each.index,
      each.sequence,
      Buffer.from(each.script).toString('hex'),
    ]),
    outputs: golden.outs.map((each) => [each.value, Buffer.from(each.script).toString('hex')]),
  }
}
