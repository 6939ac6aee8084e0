/** Advances a replay by one step: counts the attempts made, and makes the next deliveries pending. */

import type { ReplayStatus } from '../../../domain/events/replay.js'
import { NEWEST_SCHEMA_VERSION } from '../../../domain/events/schema-version.js'
import { inTransaction, type Sql, type Transaction } from '../../connect.js'
import { type Reached, SLICE, selectMatches } from './select-matches.js'
import { settleFirst } from './settle-replay.js'

/** State of a replay after a step. */
export interface ReplayProgress {
  readonly status: ReplayStatus
  readonly counted: boolean
  readonly rate: number | null
  readonly matched: number
  readonly sent: number
  readonly failed: number
  /** Deliveries that are pending without a first attempt of this replay. */
  readonly open: number
  /** Deliveries that this step made pending. */
  readonly added: number
  /** Whether a further step can add deliveries now: the end of the window is not reached, and the endpoint is active. */
  readonly more: boolean
  /** Whether the endpoint takes deliveries. */
  readonly active: boolean
}

interface Row {
  readonly endpoint_status: string
  readonly status: ReplayStatus
  readonly counted: boolean
  readonly dry_run: boolean
  /** Whether it sends every event but tests. */
  readonly everything: boolean
  readonly rate: number | null
  readonly matched: number
  readonly sent: number
  readonly failed: number
  readonly open: number
  readonly scanned: boolean
  readonly reached_at: string | null
  readonly reached_id: string | null
}

/** Errors of a replay that cannot go on. */
const ENDPOINT_DELETED = 'The endpoint was deleted'

/**
 * Advances a replay. All is one transaction: a delivery becomes pending exactly when the place behind it is reached.
 *
 * @param most - Most deliveries that may be pending without a first attempt of this replay after the step.
 * @param burst - Most deliveries that the step adds.
 * @returns `null` if there is no such replay.
 */
export async function advanceReplay(
  sql: Sql,
  id: string,
  most: number,
  burst: number,
): Promise<ReplayProgress | null> {
  return inTransaction(sql, async (tx) => {
    // The endpoint is locked before its deliveries, as by every other change of them.
    await tx`
      SELECT 1 FROM webhook_endpoints WHERE id = (SELECT endpoint_id FROM webhook_replays WHERE id = ${id}) FOR SHARE`
    await tx`SELECT 1 FROM webhook_replays WHERE id = ${id} FOR UPDATE`
    await settleFirst(tx, id)
    const before = await read(tx, id)
    if (!before) return null
    const room = Math.min(burst, most - before.open)
    const active = before.endpoint_status === 'active'
    const goesOn = before.status === 'running' && before.counted && !before.scanned
    const added = goesOn && active && room > 0 ? await add(tx, id, before, room) : 0
    if (before.status === 'running') await finish(tx, id, before.endpoint_status)
    const after = await read(tx, id)
    if (!after) return null
    const { status, counted, rate, matched, sent, failed, open } = after
    const more = status === 'running' && counted && !after.scanned && active
    return { status, counted, rate, matched, sent, failed, open, added, more, active }
  })
}

async function read(tx: Transaction, id: string): Promise<Row | null> {
  const [row] = await tx<Row[]>`
    SELECT endpoint.status AS endpoint_status, replay.status, replay.counted, replay.dry_run, replay.rate,
           replay.mode = 'all' AND replay.event_types IS NULL AS everything, replay.matched,
           replay.sent, replay.failed, replay.scanned, replay.reached_at::text, replay.reached_id,
           (SELECT count(*)::int FROM webhook_replay_items WHERE replay_id = replay.id AND NOT failed) AS open
    FROM webhook_replays replay JOIN webhook_endpoints endpoint ON endpoint.id = replay.endpoint_id
    WHERE replay.id = ${id}`
  return row ?? null
}

/**
 * Makes the next matching deliveries pending. One that is about to be sent is left to that, and one that was sent since
 * the replay began is counted. The others are sent now, also while the circuit of the endpoint is open, because a person
 * has requested it.
 */
async function add(
  tx: Transaction,
  id: string,
  { reached_at, reached_id, everything }: Row,
  room: number,
): Promise<number> {
  const reached: Reached | null =
    reached_at === null || reached_id === null ? null : { at: reached_at, id: reached_id }
  // If every event matches, a slice of more than there is room for is read in vain.
  const size = everything ? room : SLICE
  const [row] = await tx<{ added: number }[]>`
    WITH replay AS (SELECT * FROM webhook_replays WHERE id = ${id}), ${selectMatches(tx, reached, size)}, next AS MATERIALIZED (
      SELECT * FROM matching ORDER BY occurred_at, id LIMIT ${room}
    ), made AS (
      INSERT INTO webhook_deliveries
        (id, merchant_id, event_id, endpoint_id, format, schema_version, event_type, payment_id, requested)
      SELECT 'whd_' || substr(next.id, 5) || '_' || substr(endpoint.id, 5), next.merchant_id, next.id, endpoint.id,
             endpoint.format, nullif(endpoint.schema_version, ${NEWEST_SCHEMA_VERSION}), next.type, event.data ->> 'payment_id', true
      FROM next JOIN events event ON event.id = next.id CROSS JOIN replay JOIN webhook_endpoints endpoint ON endpoint.id = replay.endpoint_id
      WHERE next.ready IS NOT TRUE AND next.done IS NOT TRUE ORDER BY next.occurred_at, next.id
      ON CONFLICT (event_id, endpoint_id) DO UPDATE
        SET status = 'pending', next_attempt_at = now(), workflow_started_at = NULL,
            restarts = webhook_deliveries.restarts + 1, requested = true, turn = NULL
        WHERE (SELECT mode FROM replay) = 'all' OR webhook_deliveries.status <> 'delivered'
      RETURNING id, attempts
    ), items AS (
      INSERT INTO webhook_replay_items (replay_id, delivery_id, attempts_before)
      SELECT ${id}, id, attempts FROM made
      UNION ALL
      SELECT ${id}, delivery_id, attempts FROM next WHERE ready
      ON CONFLICT DO NOTHING
      RETURNING 1
    ), place AS (
      -- Behind the last delivery added if the step is full, else behind the slice.
      SELECT occurred_at, id FROM (
        SELECT occurred_at, id FROM next WHERE (SELECT count(*) FROM next) = ${room}
        UNION ALL
        SELECT occurred_at, id FROM slice WHERE (SELECT count(*) FROM next) < ${room}
      ) AS behind ORDER BY occurred_at DESC, id DESC LIMIT 1
    ), moved AS (
      UPDATE webhook_replays SET
        sent = sent + (SELECT count(*) FROM next WHERE done),
        delivered = delivered + (SELECT count(*) FROM next WHERE done),
        reached_at = coalesce((SELECT occurred_at FROM place), reached_at),
        reached_id = coalesce((SELECT id FROM place), reached_id),
        scanned = (SELECT count(*) FROM next) < ${room} AND (SELECT count(*) FROM slice) < ${size},
        touched_at = clock_timestamp()
      WHERE id = ${id}
    )
    SELECT (SELECT count(*)::int FROM items) AS added, pg_notify('sealer', '')`
  return row?.added ?? 0
}

/** Ends a replay that has sent all, or whose endpoint was deleted. */
async function finish(tx: Transaction, id: string, endpointStatus: string): Promise<void> {
  const deleted = endpointStatus === 'deleted'
  await tx`
    UPDATE webhook_replays replay SET
      status = ${deleted ? 'failed' : 'completed'}, failure = ${deleted ? ENDPOINT_DELETED : null},
      finished_at = clock_timestamp()
    WHERE id = ${id} AND (${deleted} OR scanned AND counted AND NOT EXISTS (
      SELECT FROM webhook_replay_items WHERE replay_id = ${id} AND NOT failed))`
}
