import type { EvmAdapter } from '../../chains/adapter.js'
import { absentDeposits } from '../../db/chain/absent-deposits.js'
import { replaceOvertaken } from '../../db/chain/replace-overtaken.js'
import type { Sql } from '../../db/connect.js'
import { mapConcurrently } from '../map-concurrently.js'

/** Questions to the node under way at a time. */
const CONCURRENCY = 4

/**
 * EVM blocks do not list nonces, so a conflict that was never in the mempool shows only in the sender's account: its nonce is
 * past that of a transaction which no block and no mempool holds.
 */
export async function findOvertaken(sql: Sql, adapter: EvmAdapter): Promise<void> {
  const absent = await absentDeposits(sql, adapter.network.name)
  const overtaken = await mapConcurrently(absent, CONCURRENCY, async ({ txid, prevTxid, prevVout }) => {
    if ((await adapter.nonce(prevTxid)) <= prevVout) return null
    return (await adapter.outcome(txid)).kind === 'unknown' ? txid : null
  })
  await replaceOvertaken(
    sql,
    adapter.network,
    overtaken.filter((txid) => txid !== null),
  )
}
