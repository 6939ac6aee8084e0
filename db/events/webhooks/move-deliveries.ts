/** Lets the deliveries of an endpoint follow its status, in short transactions. */

import { assertNever } from '../../../domain/assert-never.js'
import { inTransaction, type Sql, type Transaction } from '../../connect.js'
import { cancelDeliveries } from './cancel-deliveries.js'
import type { EndpointRow } from './endpoint-row.js'
import { holdDeliveries } from './hold-deliveries.js'
import { releaseDeliveries } from './release-deliveries.js'

/** Deliveries of one transaction. */
const BATCH = 500
/** Batches of one call, unless it says otherwise. The sweeper moves the rest. */
const BATCHES = 4
/** Events that a call names. */
const MAX_NAMED = 200

/** What a call moved. */
export interface MovedDeliveries {
  readonly count: number
  /** Some events whose delivery was cancelled, but may still have a waiting workflow. */
  readonly waiting: readonly string[]
}

/**
 * Holds the pending deliveries of an endpoint that is paused or disabled, releases the held ones of an active one, and
 * cancels those of a deleted one, the oldest first. Each batch looks at the status again and locks it, so that it may
 * change between two batches. Transactions that add events do not wait for that lock. If the process dies, the
 * sweeper goes on. Until then no worker sends a pending delivery of an endpoint that is not active.
 */
export async function moveDeliveries(
  sql: Sql,
  endpointId: string,
  batches: number = BATCHES,
): Promise<MovedDeliveries> {
  let count = 0
  const waiting: string[] = []
  for (let batch = 0; batch < batches; batch += 1) {
    const moved = await inTransaction(sql, (tx) => moveBatch(tx, endpointId))
    if (moved.count === 0) break
    count += moved.count
    waiting.push(...moved.waiting.slice(0, MAX_NAMED - waiting.length))
  }
  return { count, waiting }
}

async function moveBatch(tx: Transaction, id: string): Promise<MovedDeliveries> {
  const [endpoint] = await tx<{ status: EndpointRow['status'] }[]>`
    SELECT status FROM webhook_endpoints WHERE id = ${id} FOR SHARE`
  if (!endpoint) return { count: 0, waiting: [] }
  switch (endpoint.status) {
    case 'active':
      return { count: await releaseDeliveries(tx, id, BATCH), waiting: [] }
    case 'paused':
    case 'disabled':
      return { count: await holdDeliveries(tx, id, BATCH), waiting: [] }
    case 'deleted': {
      const cancelled = await cancelDeliveries(tx, id, BATCH)
      const waiting = cancelled.filter((each) => each.started).map((each) => each.event_id)
      return { count: cancelled.length, waiting }
    }
    default:
      return assertNever(endpoint.status)
  }
}
