/**
 * Fetches transactions by txid from the node's transaction index, parses them, checks them against the txid,
 * and caches them.
 */

import { z } from 'zod'
import { KeyturnError } from '../../../domain/errors.js'
import { type ParsedTransaction, parseTransaction } from '../parse/parse-transaction.js'
import type { Rpc } from '../rpc/create-rpc.js'
import { NODE_CODE, NodeError } from '../rpc/node-error.js'

export interface TransactionSource {
  /**
   * Returns the transactions that the node knows, mined or in its mempool. @throws KeyturnError if it has no
   * index.
   */
  fetch(txids: Iterable<string>): Promise<Map<string, ParsedTransaction>>
}

/** Transactions of one HTTP request: about 50 kB as a rule, 40 MB at worst. */
const BATCH = 100
/**
 * Bytes of the cache. Every attempt and every description of a payer's change needs its parents again, and a
 * transaction never changes.
 */
const CACHE_BYTES = 32 * 1024 * 1024

/** Creates the source. @param cacheBytes - Raw bytes to keep. The least recently used go first. */
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
          // This moves it to the young end of the map's order.
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

/**
 * Returns whether the node knows no such transaction. @throws KeyturnError if it cannot know, because it has
 * no index.
 */
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
