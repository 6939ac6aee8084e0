/**
 * A double of a Bitcoin Cash node, as no such node can be installed for tests. Its wire format and its rules
 * are real: it answers as Bitcoin Cash Node does, and accepts a transaction only if libauth's virtual machine
 * finds it valid and standard.
 */

import { createHash } from 'node:crypto'
import {
  createVirtualMachineBCH,
  decodeCashAddress,
  decodeTransactionBCH,
  encodeTransactionBCH,
  hashTransaction,
  type TransactionBCH,
} from '@bitauth/libauth'
import { ScriptedError, scriptedNode } from '../chains/utxo/scripted-node.js'

const SUBSIDY = 50_0000_0000n
const MATURITY = 100
const FEE = 1_000n

interface Kept {
  readonly txid: string
  readonly raw: string
  readonly transaction: TransactionBCH
}

interface Mined {
  readonly hash: string
  readonly raw: string
  readonly transactions: readonly Kept[]
}

export interface CashNode {
  readonly rpc: string
  /** Methods that callers called, in order. */
  readonly methods: string[]
  /** Pays from the coinbase of an old block into the mempool, and mines nothing. @returns The txid. */
  fund(address: string, amount: bigint): Promise<string>
  /**
   * Mines blocks, the first of which holds the mempool unless they are to be empty. @returns Their hashes.
   */
  mine(blocks?: number, options?: { readonly empty?: boolean }): Promise<string[]>
  /** Removes blocks from the tip, and puts their transactions back into the mempool. */
  disconnect(blocks: number): void
  stop(): Promise<void>
}

/** Starts a chain of 120 blocks with 20 mature coinbases. Anyone may spend them, but only `fund` does. */
export async function testCashNode(): Promise<CashNode> {
  const machine = createVirtualMachineBCH(true)
  const chain: Mined[] = []
  const mempool = new Map<string, Kept>()
  // The coinbase of the genesis block pays an unknown key.
  const funded = new Set<number>([0])
  let branch = 0

  const inChain = () => new Map(chain.flatMap((block) => block.transactions.map((each) => [each.txid, each])))
  const known = (txid: string) => mempool.get(txid) ?? inChain().get(txid)
  const spentBy = (outpoint: string, among: Iterable<Kept>) =>
    [...among].find(({ transaction }) =>
      transaction.inputs.some(
        (input) => `${hex(input.outpointTransactionHash)}:${input.outpointIndex}` === outpoint,
      ),
    )

  function accept(raw: string): string {
    const decoded = decodeTransactionBCH(Uint8Array.from(Buffer.from(raw, 'hex')))
    if (typeof decoded === 'string') throw new ScriptedError(-22, 'TX decode failed')
    const txid = hashTransaction(Uint8Array.from(Buffer.from(raw, 'hex')))
    if (mempool.has(txid)) throw new ScriptedError(-27, 'txn-already-in-mempool')
    if (inChain().has(txid)) throw new ScriptedError(-27, 'transaction already in block chain')
    const sourceOutputs = decoded.inputs.map((input) => {
      const parentId = hex(input.outpointTransactionHash)
      const outpoint = `${parentId}:${input.outpointIndex}`
      const output = known(parentId)?.transaction.outputs[input.outpointIndex]
      if (!output || spentBy(outpoint, inChain().values())) {
        throw new ScriptedError(-25, 'bad-txns-inputs-missingorspent')
      }
      // The first transaction seen stays: Bitcoin Cash has no replacement by fee.
      if (spentBy(outpoint, mempool.values())) throw new ScriptedError(-26, 'txn-mempool-conflict')
      return output
    })
    const verdict = machine.verify({ sourceOutputs, transaction: decoded })
    if (verdict !== true) throw new ScriptedError(-26, `mandatory-script-verify-flag-failed (${verdict})`)
    const paid = sum(sourceOutputs) - sum(decoded.outputs)
    if (paid < BigInt(raw.length / 2)) throw new ScriptedError(-26, 'min relay fee not met')
    mempool.set(txid, { txid, raw, transaction: decoded })
    return txid
  }

  function mineOne(empty: boolean): string {
    const height = chain.length
    const coinbase = keep({
      version: 2,
      locktime: 0,
      inputs: [
        {
          outpointTransactionHash: new Uint8Array(32),
          outpointIndex: 0xffff_ffff,
          sequenceNumber: 0xffff_ffff,
          // Height and branch make each coinbase unique.
          unlockingBytecode: Uint8Array.from([4, height & 255, height >> 8, branch & 255, branch >> 8]),
        },
      ],
      outputs: [{ lockingBytecode: ANYONE, valueSatoshis: SUBSIDY }],
    })
    const pending = empty ? [] : [...mempool.values()]
    if (!empty) mempool.clear()
    const transactions = [coinbase, ...pending]
    const header = Buffer.alloc(80)
    header.writeInt32LE(0x2000_0000, 0)
    Buffer.from(chain.at(-1)?.hash ?? '00'.repeat(32), 'hex')
      .reverse()
      .copy(header, 4)
    merkleRoot(transactions.map(({ txid }) => Buffer.from(txid, 'hex').reverse())).copy(header, 36)
    header.writeUInt32LE(1_700_000_000 + height * 600, 68)
    header.writeUInt32LE(branch, 76)
    const raw = Buffer.concat([
      header,
      Buffer.from([transactions.length]),
      ...transactions.map((each) => Buffer.from(each.raw, 'hex')),
    ]).toString('hex')
    const hash = Buffer.from(twice(header)).reverse().toString('hex')
    chain.push({ hash, raw, transactions })
    return hash
  }

  const blockOf = (txid: string) =>
    chain.findIndex((block) => block.transactions.some((each) => each.txid === txid))
  const node = await scriptedNode({
    getnetworkinfo: () => ({ subversion: '/Bitcoin Cash Node:28.0.1(EB32.0)/' }),
    getblockchaininfo: () => ({ blocks: chain.length - 1, bestblockhash: chain.at(-1)?.hash }),
    getblockhash: (height: number) => {
      const block = chain[height]
      if (!block) throw new ScriptedError(-8, 'Block height out of range')
      return block.hash
    },
    getblock: (hash: string, verbosity: number) => {
      const block = chain.find((each) => each.hash === hash)
      if (!block) throw new ScriptedError(-5, 'Block not found')
      return verbosity > 0 ? { hash, tx: block.transactions.map((each) => each.txid) } : block.raw
    },
    getblockheader: (hash: string) => {
      const height = chain.findIndex((each) => each.hash === hash)
      if (height === -1) return { height: 0, confirmations: -1, time: 0 }
      // The time of a block is in bytes 68 to 71 of its header.
      const time = Buffer.from(chain[height]?.raw.slice(136, 144) ?? '', 'hex').readUInt32LE(0)
      return { height, confirmations: chain.length - height, time }
    },
    getrawtransaction: (txid: string, verbose: number) => {
      const found = known(txid)
      if (!found) throw new ScriptedError(-5, 'No such mempool or blockchain transaction')
      if (!verbose) return found.raw
      const block = chain[blockOf(txid)]
      return { hex: found.raw, ...(block ? { blockhash: block.hash } : {}) }
    },
    getrawmempool: () => [...mempool.keys()],
    getmempoolinfo: () => ({ mempoolminfee: 0.00001 }),
    sendrawtransaction: accept,
    scantxoutset: (_action: string, descriptors: readonly string[]) => {
      const all = [...inChain().values()]
      const unspents = descriptors.flatMap((descriptor) => {
        const script = hex(scriptOf(descriptor.slice('addr('.length, -1)))
        return all.flatMap(({ txid, transaction }) =>
          transaction.outputs.flatMap((output, index) =>
            hex(output.lockingBytecode) === script && !spentBy(`${txid}:${index}`, all)
              ? [{ scriptPubKey: script, amount: Number(output.valueSatoshis) / 1e8 }]
              : [],
          ),
        )
      })
      return { success: true, unspents }
    },
    // Bitcoin Cash Node has neither `estimatesmartfee` nor `scanblocks`, and answers "Method not found".
  })
  chain.push(genesis())
  for (let i = 0; i < MATURITY + 20; i += 1) mineOne(true)

  return {
    rpc: node.url,
    methods: node.methods,
    async fund(address, amount) {
      const height = chain.findIndex((_, at) => at <= chain.length - MATURITY && !funded.has(at))
      funded.add(height)
      const [coinbase] = chain[height]?.transactions ?? []
      if (!coinbase) throw new Error('No coinbase is mature')
      const funding = keep({
        version: 2,
        locktime: 0,
        inputs: [
          {
            outpointTransactionHash: bytes(coinbase.txid),
            outpointIndex: 0,
            sequenceNumber: 0xffff_ffff,
            unlockingBytecode: UNLOCK,
          },
        ],
        outputs: [
          { lockingBytecode: scriptOf(address), valueSatoshis: amount },
          { lockingBytecode: ANYONE, valueSatoshis: SUBSIDY - amount - FEE },
        ],
      })
      return accept(funding.raw)
    },
    async mine(blocks = 1, { empty = false } = {}) {
      return Array.from({ length: blocks }, () => mineOne(empty))
    },
    disconnect(blocks) {
      branch += 1
      for (const block of chain.splice(-blocks)) {
        for (const each of block.transactions.slice(1)) mempool.set(each.txid, each)
      }
    },
    stop: node.stop,
  }
}

/** Returns block 0 of regtest, which Bitcoin and Bitcoin Cash share. */
function genesis(): Mined {
  const coinbase = keep(decodeTransactionBCH(bytes(GENESIS_COINBASE)) as TransactionBCH)
  const header = Buffer.alloc(80)
  header.writeInt32LE(1, 0)
  merkleRoot([Buffer.from(coinbase.txid, 'hex').reverse()]).copy(header, 36)
  header.writeUInt32LE(1_296_688_602, 68)
  header.writeUInt32LE(0x207f_ffff, 72)
  header.writeUInt32LE(2, 76)
  return {
    hash: Buffer.from(twice(header)).reverse().toString('hex'),
    raw: Buffer.concat([header, Buffer.from([1]), Buffer.from(coinbase.raw, 'hex')]).toString('hex'),
    transactions: [coinbase],
  }
}

const GENESIS_COINBASE =
  '01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff001d0104455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f66207365636f6e64206261696c6f757420666f722062616e6b73ffffffff0100f2052a01000000434104678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5fac00000000'

/** Unlocks a script hash whose script is OP_1: anyone may spend it, and nodes relay it. */
const UNLOCK = Uint8Array.from([0x01, 0x51])
const ANYONE = Uint8Array.from(Buffer.from(`a914${hash160(Buffer.from([0x51]))}87`, 'hex'))

function keep(transaction: TransactionBCH): Kept {
  const raw = hex(encodeTransactionBCH(transaction))
  return { txid: hashTransaction(bytes(raw)), raw, transaction }
}

function scriptOf(address: string): Uint8Array {
  const decoded = decodeCashAddress(address)
  if (typeof decoded === 'string') throw new ScriptedError(-5, 'Invalid address')
  const hash = hex(decoded.payload)
  return bytes(decoded.type === 'p2pkh' ? `76a914${hash}88ac` : `a914${hash}87`)
}

function merkleRoot(hashes: readonly Buffer[]): Buffer {
  let row = hashes
  while (row.length > 1) {
    row = Array.from({ length: Math.ceil(row.length / 2) }, (_, i) => {
      const left = row[2 * i] ?? Buffer.alloc(32)
      return twice(Buffer.concat([left, row[2 * i + 1] ?? left]))
    })
  }
  return row[0] ?? Buffer.alloc(32)
}

function sum(outputs: readonly { readonly valueSatoshis: bigint }[]): bigint {
  return outputs.reduce((total, each) => total + each.valueSatoshis, 0n)
}

function twice(data: Uint8Array): Buffer {
  return createHash('sha256').update(createHash('sha256').update(data).digest()).digest()
}

function hash160(data: Uint8Array): string {
  return createHash('ripemd160').update(createHash('sha256').update(data).digest()).digest('hex')
}

function hex(data: Uint8Array): string {
  return Buffer.from(data).toString('hex')
}

function bytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'hex'))
}
