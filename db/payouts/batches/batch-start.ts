/** What the workflow of a batch is started with, and which were not started. */

import { findNetwork, knownCoin, type Networks } from '../../../domain/chain/network.js'
import { formatAmount } from '../../../domain/money.js'
import { OPEN_BATCHES } from '../../../domain/payouts/batch-status.js'
import type { Queryable } from '../../connect.js'
import { members } from '../../members.js'
import { notPutOff } from '../../operations/sweep-failures.js'
import { type BatchRow, batchColumns } from './batch-row.js'

/** As `BatchInput` of `temporal/start.ts`. */
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
  return row ? toBatchStart(networks, row) : null
}

/**
 * The oldest batches whose workflow was not started (the API was cut short, or Temporal was down), and those
 * under way that neither moved nor were looked for: theirs may be gone.
 *
 * @param olderThanMs - Leaves alone what the API is starting right now.
 * @param unseenMs - Leaves alone what moved, or was found running, so recently.
 */
export async function unstartedBatches(
  sql: Queryable,
  olderThanMs: number,
  unseenMs: number,
): Promise<BatchRow[]> {
  return sql<BatchRow[]>`
    SELECT ${batchColumns(sql)} FROM batches batch
    WHERE (workflow_started_at IS NULL AND created_at < clock_timestamp() - ${olderThanMs} * interval '1 millisecond'
           OR workflow_started_at IS NOT NULL AND stage IN ${members(sql, OPEN_BATCHES)}
              AND greatest(workflow_started_at, workflow_seen_at, updated_at)
                < clock_timestamp() - ${unseenMs} * interval '1 millisecond')
      AND ${notPutOff(sql, 'batch.id')}
    ORDER BY greatest(workflow_seen_at, created_at) LIMIT ${MOST}`
}

/** Says that the workflow of a batch exists, so that the sweeper leaves it alone for a while. */
export async function markBatchStarted(sql: Queryable, id: string): Promise<void> {
  await sql`
    UPDATE batches SET workflow_started_at = coalesce(workflow_started_at, clock_timestamp()),
      workflow_seen_at = clock_timestamp()
    WHERE id = ${id}`
}

/** The input made of a row. @throws KeyturnError when its network or coin is not served any more. */
export function toBatchStart(networks: Networks, row: BatchRow): BatchStart {
  const { decimals } = knownCoin(findNetwork(networks, row.network), row.coin)
  return {
    id: row.id,
    merchantId: row.merchant_id,
    network: row.network,
    coin: row.coin,
    title: `${row.item_count} payments, ${formatAmount(row.amount, decimals)} ${row.coin}`,
    expiresAt: row.expires_at.toISOString(),
  }
}
