/** Makes the input of a batch's workflow, and finds batches whose workflow was not started. */

import { findNetwork, knownCoin, type Networks } from '../../../domain/chain/network.js'
import { formatAmount } from '../../../domain/money.js'
import { OPEN_BATCHES } from '../../../domain/payouts/batch-status.js'
import type { Queryable } from '../../connect.js'
import { members } from '../../members.js'
import { notPutOff } from '../../operations/sweep-failures.js'
import { type BatchRow, batchColumns } from './batch-row.js'

/** The input, as `BatchInput` of `temporal/inputs.ts`. */
export interface BatchStart {
  readonly id: string
  readonly merchantId: string
  readonly network: string
  readonly coin: string
  readonly title: string
  readonly expiresAt: string
}

/** Most that one sweep takes. The next sweep takes the next. */
const MOST = 500

/** Reads the input of one batch. `null` when it does not exist. */
export async function readBatchStart(
  sql: Queryable,
  networks: Networks,
  id: string,
): Promise<BatchStart | null> {
  const [row] = await sql<BatchRow[]>`SELECT ${batchColumns(sql)} FROM batches batch WHERE id = ${id}`
  return row ? toBatchStart(networks, row) : null
}

/**
 * Returns the oldest batches whose workflow was not started (the API was cut short, or Temporal was down),
 * and open ones that have neither moved nor been checked, whose workflow may be gone.
 *
 * @param olderThanMs - Minimum age, so that the API's own start is not disturbed.
 * @param unseenMs - Minimum time since it moved, or was found running.
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

/** Marks that the workflow of a batch exists, so that the sweeper leaves it alone for a while. */
export async function markBatchStarted(sql: Queryable, id: string): Promise<void> {
  await sql`
    UPDATE batches SET workflow_started_at = coalesce(workflow_started_at, clock_timestamp()),
      workflow_seen_at = clock_timestamp()
    WHERE id = ${id}`
}

/**
 * Returns the input that belongs to a row.
 *
 * @throws KeyturnError when its network or coin is no longer served.
 */
export function toBatchStart(networks: Networks, row: BatchRow): BatchStart {
  const { decimals } = knownCoin(findNetwork(networks, row.network), row.coin)
  return {
    id: row.id,
    merchantId: row.merchant_id,
    network: row.network,
    coin: row.coin,
    title: `${row.item_count} payouts, ${formatAmount(row.amount, decimals)} ${row.coin}`,
    expiresAt: row.expires_at.toISOString(),
  }
}
