/** Declares a row of `webhook_replays`. */

import type { ReplayMode, ReplayStatus } from '../../../domain/events/replay.js'
import type { Queryable } from '../../connect.js'

export interface ReplayRow {
  readonly id: string
  readonly merchant_id: string
  readonly endpoint_id: string
  readonly mode: ReplayMode
  readonly since: Date
  readonly until: Date
  /** Types that it sends. `null` for all but tests. */
  readonly event_types: string[] | null
  readonly dry_run: boolean
  /** Most deliveries a second. `null` for no cap. */
  readonly rate: number | null
  readonly status: ReplayStatus
  /** Why it cannot go on. `null` unless it failed. */
  readonly failure: string | null
  /** Whether `matched` is known. */
  readonly counted: boolean
  readonly matched: number
  /** First attempts made. */
  readonly sent: number
  /** Deliveries accepted, at the first attempt or later. */
  readonly delivered: number
  /** First attempts that failed. */
  readonly failed: number
  readonly created_at: Date
  readonly finished_at: Date | null
}

/** Returns the columns of `ReplayRow`, of the table `replay`. What failed first may be accepted by now, and is counted here until `settleReplays` has counted it. */
export const replayColumns = (sql: Queryable) => sql`
  replay.id, replay.merchant_id, replay.endpoint_id, replay.mode, replay.since, replay.until, replay.event_types,
  replay.dry_run, replay.rate, replay.status, replay.failure, replay.counted, replay.matched, replay.sent, replay.failed,
  replay.created_at, replay.finished_at,
  replay.delivered + (
    SELECT count(*)::int FROM webhook_replay_items item JOIN webhook_deliveries delivery ON delivery.id = item.delivery_id
    WHERE item.replay_id = replay.id AND item.failed AND delivery.status = 'delivered') AS delivered`
