/** What the workflow of a batch is started with, and which were not started. */

import { formatAmount } from '../../domain/money.js'
import { findCoin, findNetwork, type Networks } from '../../domain/network.js'
import type { Queryable } from '../connect.js'
import { type BatchRow, batchColumns } from './batch-row.js'

/** As `BatchInput` of `workflows/start.ts`. */
export interface BatchStart {
  readonly id: string
  readonly merchantId: string
  readonly network: string
  readonly coin: string
  readonly title: string
  readonly expiresAt: string
}

/** Taken at a time; the next sweep takes the next. */
const MOST = 500

/** Reads the input of one batch, or null when it is unknown. */
export async function readBatchStart(
  sql: Queryable,
  networks: Networks,
  id: string,
): Promise<BatchStart | null> {
  const [row] = await sql<BatchRow[]>`SELECT ${batchColumns(sql)} FROM batches batch WHERE id = ${id}`
  return row ? toStart(networks, row) : null
}

/**
 * The oldest batches whose workflow was not started: the API was cut short, or Temporal was down.
 *
 * @param olderThanMs - Leaves alone what the API is starting right now.
 */
export async function unstartedBatches(
  sql: Queryable,
  networks: Networks,
  olderThanMs: number,
): Promise<BatchStart[]> {
  const rows = await sql<BatchRow[]>`
    SELECT ${batchColumns(sql)} FROM batches batch
    WHERE workflow_started_at IS NULL AND created_at < clock_timestamp() - ${olderThanMs} * interval '1 millisecond'
    ORDER BY created_at LIMIT ${MOST}`
  return rows.map((row) => toStart(networks, row))
}

/** Says that the workflow of a batch exists, so that the sweeper leaves it alone. */
export async function markBatchStarted(sql: Queryable, id: string): Promise<void> {
  await sql`
    UPDATE batches SET workflow_started_at = clock_timestamp() WHERE id = ${id} AND workflow_started_at IS NULL`
}

function toStart(networks: Networks, row: BatchRow): BatchStart {
  const { decimals } = findCoin(findNetwork(networks, row.network), row.coin)
  return {
    id: row.id,
    merchantId: row.merchant_id,
    network: row.network,
    coin: row.coin,
    title: `${row.item_count} payments, ${formatAmount(row.amount, decimals)} ${row.coin}`,
    expiresAt: row.expires_at.toISOString(),
  }
}
