/** Transactions by txid from the node's transaction index, parsed, checked against the txid, and kept for a while. */

import { z } from 'zod'
import { KeyturnError } from '../../../domain/errors.js'
import { type ParsedTransaction, parseTransaction } from '../parse/parse-transaction.js'
import type { Rpc } from '../rpc/create-rpc.js'
import { NODE_CODE, NodeError } from '../rpc/node-error.js'

export interface TransactionSource {
  /** The transactions that the node knows, mined or in its mempool. @throws KeyturnError where it has no index. */
  fetch(txids: Iterable<string>): Promise<Map<string, ParsedTransaction>>
}

/** Transactions in one HTTP request: about 50 kB as a rule, 40 MB at worst. */
const BATCH = 100
/** A parent is asked for again on every attempt and by every description of a payer's change; a transaction never changes. */
const CACHE_BYTES = 32 * 1024 * 1024

/** @param cacheBytes - Raw bytes kept; the least recently used go first. */
export function createTransactionSource(rpc: Rpc, cacheBytes = CACHE_BYTES): TransactionSource {
  const cache = new Map<string, { readonly transaction: ParsedTransaction; readonly bytes: number }>()
  let cachedBytes = 0

  function keep(transaction: ParsedTransaction, bytes: number): void {
    if (cache.has(transaction.txid)) return
    cache.set(transaction.txid, { transaction, bytes })
    cachedBytes += bytes
    for (const [txid, entry] of cache) {
      if (cachedBytes <= cacheBytes) break
      cache.delete(txid)
      cachedBytes -= entry.bytes
    }
  }

  return {
    async fetch(txids) {
      const found = new Map<string, ParsedTransaction>()
      const missing: string[] = []
      for (const txid of new Set(txids)) {
        const entry = cache.get(txid)
        if (entry) {
          // Moves it to the young end of the map's order.
          cache.delete(txid)
          cache.set(txid, entry)
          found.set(txid, entry.transaction)
        } else missing.push(txid)
      }
      for (let i = 0; i < missing.length; i += BATCH) {
        const chunk = missing.slice(i, i + BATCH)
        const answers = await rpc.batch(
          'getrawtransaction',
          chunk.map((txid) => [txid, 0]),
          z.string(),
        )
        for (const [index, answer] of answers.entries()) {
          if (answer instanceof NodeError) {
            if (isTransactionUnknown(answer, rpc.network)) continue
            throw answer
          }
          const bytes = Buffer.from(answer, 'hex')
          const transaction = parseTransaction(bytes)
          if (transaction.txid !== chunk[index])
            throw wrongTransaction(rpc.network, chunk[index], transaction.txid)
          keep(transaction, bytes.length)
          found.set(transaction.txid, transaction)
        }
      }
      return found
    },
  }
}

/** Whether the node says that it knows no such transaction. @throws KeyturnError when it cannot know, for want of an index. */
export function isTransactionUnknown(error: NodeError, network: string): boolean {
  if (error.nodeCode !== NODE_CODE.invalidAddressOrKey) return false
  if (/txindex/i.test(error.nodeMessage)) {
    throw new KeyturnError(
      'DEPENDENCY_UNAVAILABLE',
      `The ${network} node has no transaction index; start it with txindex=1`,
      { details: { network }, cause: error },
    )
  }
  return true
}

function wrongTransaction(network: string, asked: string | undefined, got: string): KeyturnError {
  return new KeyturnError('DEPENDENCY_UNAVAILABLE', `The ${network} node answered with another transaction`, {
    details: { network, asked, got },
    retryable: true,
  })
}
