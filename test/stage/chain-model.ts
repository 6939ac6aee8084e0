/**
 * Models a chain in memory behind the interface of an adapter. Tests mine it, fork it and spend outputs
 * twice.
 */

import { createHash, randomUUID } from 'node:crypto'
import type { Block, BlockRef, ChainAdapter, Spend, Transfer } from '../../chains/adapter.js'
import type { Network } from '../../domain/chain/network.js'
import { KeyturnError } from '../../domain/errors.js'

export interface ModelOutput {
  /** 20 bytes in lower-case hex. */
  readonly payee: string
  readonly coin: string
  readonly amount: bigint
  /** Whether a block pays it to its miner. */
  readonly coinbase?: boolean
}

export interface ModelTransaction {
  readonly txid: string
  readonly outputs: readonly ModelOutput[]
  /** Outpoints that it spends, `txid:vout`. */
  readonly inputs: readonly string[]
}

export interface ModelBlock extends BlockRef {
  readonly parentHash: string
  readonly time: number
  readonly transactions: readonly ModelTransaction[]
}

export class ChainModel {
  blocks: ModelBlock[] = []
  /** Every transaction that was ever made, by its id. */
  readonly known = new Map<string, ModelTransaction>()
  readonly mempool = new Map<string, ModelTransaction>()
  /**
   * Numbers of calls of `hashAt` that another node behind the same load balancer answers, from a lower tip.
   */
  lagging: { readonly tip: number; readonly answers: (question: number) => boolean } | null = null
  /** Blocks that the node still lacks while it synchronises. */
  missing: number | null = null
  /** Height of the lowest block that the node has in full. */
  servedFrom = 0
  /** Number of calls that fail before one succeeds. */
  failures = 0
  calls: Record<string, number> = {}
  private serial = 0
  /** Salt, so that two chains have no transaction in common. */
  private readonly salt = randomUUID()

  constructor(readonly network: Network) {
    this.mine([])
  }

  get height(): number {
    return this.blocks.length - 1
  }

  /**
   * Makes a transaction that is in no mempool and no block. By default it spends one input that no other
   * spends.
   */
  transaction(outputs: readonly ModelOutput[], inputs?: readonly string[]): ModelTransaction {
    this.serial += 1
    const transaction = {
      txid: this.hash(`transaction ${this.serial}`),
      outputs,
      inputs: inputs ?? [`${this.hash(`coin ${this.serial}`)}:0`],
    }
    this.known.set(transaction.txid, transaction)
    return transaction
  }

  /** Returns the same transaction with other outputs: on EVM networks an id does not fix what is paid. */
  altered(transaction: ModelTransaction, outputs: readonly ModelOutput[]): ModelTransaction {
    const altered = { ...transaction, outputs }
    this.known.set(altered.txid, altered)
    return altered
  }

  /** Puts a transaction into the mempool, in place of those that spend the same inputs. */
  send(transaction: ModelTransaction): ModelTransaction {
    for (const other of this.mempool.values()) {
      if (other.inputs.some((input) => transaction.inputs.includes(input))) this.mempool.delete(other.txid)
    }
    this.mempool.set(transaction.txid, transaction)
    return transaction
  }

  pay(...outputs: readonly ModelOutput[]): ModelTransaction {
    return this.send(this.transaction(outputs))
  }

  /** Mines a block of these transactions, by default of the whole mempool. */
  mine(
    transactions: readonly ModelTransaction[] = [...this.mempool.values()],
    time = Math.floor(Date.now() / 1000),
  ): ModelBlock {
    this.serial += 1
    const height = this.blocks.length
    const parentHash = this.blocks.at(-1)?.hash ?? '0'.repeat(64)
    const block = {
      height,
      hash: this.hash(`block ${this.serial} on ${parentHash}`),
      parentHash,
      time,
      transactions,
    }
    this.blocks.push(block)
    for (const { txid, inputs } of transactions) {
      this.mempool.delete(txid)
      for (const other of this.mempool.values()) {
        if (other.inputs.some((input) => inputs.includes(input))) this.mempool.delete(other.txid)
      }
    }
    return block
  }

  /** Removes the top blocks. @returns Their transactions, which are in no block and no mempool then. */
  orphan(depth: number): ModelTransaction[] {
    return this.blocks.splice(this.blocks.length - depth).flatMap((block) => block.transactions)
  }

  adapter(): ChainAdapter {
    const { network } = this
    const count = (name: string) => {
      this.calls[name] = (this.calls[name] ?? 0) + 1
      if (this.failures > 0) {
        this.failures -= 1
        throw new KeyturnError('DEPENDENCY_UNAVAILABLE', 'The node does not answer', { retryable: true })
      }
    }
    const adapter = {
      network,
      head: async () => {
        count('head')
        const { height, hash } = this.blocks.at(-1) as ModelBlock
        return { height, hash }
      },
      hashAt: async (height: number) => {
        count('hashAt')
        const { lagging } = this
        if (lagging && height > lagging.tip && lagging.answers(this.calls.hashAt ?? 0)) return null
        return this.blocks[height]?.hash ?? null
      },
      timeAt: async (height: number) => this.blocks[height]?.time ?? null,
      syncing: async () => this.missing,
      blocks: async (from: number, to: number) => {
        count('blocks')
        // A node that keeps no archive has only the headers of old blocks.
        if (from < this.servedFrom) {
          throw new KeyturnError('DEPENDENCY_UNAVAILABLE', 'The node has pruned it', { retryable: true })
        }
        return this.blocks.slice(from, Math.min(to + 1, from + 7)).map((block) => this.toBlock(block))
      },
      mempool: async (seen: ReadonlySet<string>) => {
        count('mempool')
        const fresh = [...this.mempool.values()].filter((each) => !seen.has(each.txid))
        return {
          txids: new Set(this.mempool.keys()),
          transfers: fresh.flatMap((each) => this.transfers(each)),
          spends: fresh.flatMap((each) => this.spends(each)),
        }
      },
      // On EVM networks an input is an account and a nonce, and each account here sends one transaction.
      nonce: async (account: string) => {
        count('nonce')
        return this.blocks.some((block) =>
          block.transactions.some((each) => each.inputs.includes(`${account}:0`)),
        )
          ? 1
          : 0
      },
      outcome: async (txid: string) => {
        count('outcome')
        const block = this.blocks.find((each) => each.transactions.some((one) => one.txid === txid))
        if (!block) return { kind: this.mempool.has(txid) ? 'mempool' : 'unknown' }
        const { height, hash } = block
        const confirmations = this.height - height + 1
        return { kind: 'mined', block: { height, hash }, confirmations, fee: 1n, succeeded: true }
      },
      describe: async (transfers: readonly Transfer[]) => {
        count('describe')
        return transfers.map((transfer) => {
          const transaction = this.known.get(transfer.txid)
          return {
            sources: [{ address: 'payer', amount: transfer.amount }],
            destinations: [{ address: transfer.payee, amount: transfer.amount }],
            fee: 100n,
            spends: transaction ? this.spends(transaction) : [],
          }
        })
      },
      used: async (addresses: readonly string[]) => addresses.map(() => false),
      close: async () => {},
      feeRate: async () => 2,
      fees: async () => ({ maxFeePerGas: 2n, maxPriorityFeePerGas: 1n }),
    }
    // The model has only what following a chain needs; a call of another method throws.
    return adapter as unknown as ChainAdapter
  }

  private hash(text: string): string {
    return createHash('sha256').update(this.salt).update(text).digest('hex')
  }

  private toBlock(block: ModelBlock): Block {
    return {
      height: block.height,
      hash: block.hash,
      parentHash: block.parentHash,
      time: block.time,
      transfers: block.transactions.flatMap((each) => this.transfers(each)),
      // Blocks of EVM networks do not list nonces.
      spends: this.network.family === 'utxo' ? block.transactions.flatMap((each) => this.spends(each)) : [],
      txids: block.transactions.map((each) => each.txid),
    }
  }

  private transfers(transaction: ModelTransaction): Transfer[] {
    return transaction.outputs.map((output, index) => ({ txid: transaction.txid, index, ...output }))
  }

  private spends(transaction: ModelTransaction): Spend[] {
    return transaction.inputs.map((input) => {
      const [prevTxid = '', vout = '0'] = input.split(':')
      return { txid: transaction.txid, prevTxid, prevVout: Number(vout) }
    })
  }
}
