/** Finds pending deposits of EVM networks that the chain can no longer make. */

import type { EvmAdapter } from '../../chains/adapter.js'
import { takeAbsentDeposits } from '../../db/chain/absent-deposits.js'
import { replaceOvertaken } from '../../db/chain/replace-overtaken.js'
import type { Watch } from '../../db/chain/take-watch.js'
import type { Sql } from '../../db/connect.js'
import { assertNever } from '../../domain/assert-never.js'
import { mapConcurrently } from '../../domain/map-concurrently.js'

/** Questions to the node under way at a time. */
const CONCURRENCY = 4

/**
 * Ends deposits whose transaction was overtaken. EVM blocks list no nonces, so a conflict that was never in
 * the mempool shows only in the sender's account: its nonce is past that of a transaction which no block and
 * no mempool holds. A transaction that a node behind the others still showed as pending after its block was
 * scanned has paid all that it ever will.
 */
export async function findOvertaken(sql: Sql, adapter: EvmAdapter, watch?: Watch): Promise<void> {
  const absent = await takeAbsentDeposits(sql, adapter.network.name)
  const overtaken = await mapConcurrently(absent, CONCURRENCY, async ({ txid, prevTxid, prevVout }) => {
    if ((await adapter.nonce(prevTxid)) <= prevVout) return null
    const outcome = await adapter.outcome(txid)
    switch (outcome.kind) {
      case 'unknown':
        return { txid, minedAt: null }
      case 'mined':
        return { txid, minedAt: outcome.block.height }
      case 'mempool':
        return null
      default:
        return assertNever(outcome)
    }
  })
  await replaceOvertaken(
    sql,
    adapter.network,
    overtaken.filter((each) => each !== null),
    watch,
  )
}
