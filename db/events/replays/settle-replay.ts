/** Counts the results of what a replay has made pending, and removes the items whose result is final. */

import { inTransaction, type Sql, type Transaction } from '../../connect.js'

/** Interval at which the items of a replay are examined, and the most replays that one call examines. */
const CHECK_MS = 60_000
const MOST = 100

/**
 * Counts the deliveries whose first attempt is in the log. One that has ended without an attempt was not sent, for
 * example because its endpoint was deleted. The caller holds the replay locked.
 */
export async function settleFirst(tx: Transaction, id: string): Promise<void> {
  await tx`
    WITH ended AS MATERIALIZED (
      SELECT item.delivery_id, first.number IS NOT NULL AS sent, first.error IS NULL AS accepted
      FROM webhook_replay_items item JOIN webhook_deliveries delivery ON delivery.id = item.delivery_id
      LEFT JOIN LATERAL (
        SELECT number, error FROM webhook_attempts
        WHERE delivery_id = item.delivery_id AND number > item.attempts_before ORDER BY number LIMIT 1
      ) AS first ON true
      WHERE item.replay_id = ${id} AND NOT item.failed
        AND (first.number IS NOT NULL OR delivery.status IN ('delivered', 'exhausted', 'cancelled'))
    ), accepted AS (
      DELETE FROM webhook_replay_items item USING ended
      WHERE item.replay_id = ${id} AND item.delivery_id = ended.delivery_id AND (ended.accepted OR NOT ended.sent)
    ), refused AS (
      UPDATE webhook_replay_items item SET failed = true FROM ended
      WHERE item.replay_id = ${id} AND item.delivery_id = ended.delivery_id AND ended.sent AND NOT ended.accepted
    ), counts AS (
      SELECT count(*) FILTER (WHERE sent) AS sent, count(*) FILTER (WHERE sent AND accepted) AS delivered,
             count(*) FILTER (WHERE sent AND NOT accepted) AS failed FROM ended
    )
    UPDATE webhook_replays replay SET
      sent = replay.sent + counts.sent, delivered = replay.delivered + counts.delivered,
      failed = replay.failed + counts.failed
    FROM counts WHERE replay.id = ${id} AND counts.sent > 0`
}

/**
 * Settles replays of which deliveries are under way, also those that have ended: one that was cancelled leaves its last
 * deliveries to themselves. What failed at first is removed when its delivery has ended, and counted if that was
 * accepted.
 *
 * @param restMs - Time after which a replay is examined again.
 * @returns The number of replays whose last delivery has ended.
 */
export async function settleReplays(sql: Sql, restMs = CHECK_MS): Promise<number> {
  const late = await sql<{ id: string }[]>`
    SELECT id FROM webhook_replays
    WHERE NOT settled AND checked_at < clock_timestamp() - ${restMs} * interval '1 millisecond'
    ORDER BY checked_at LIMIT ${MOST}`
  let settled = 0
  for (const { id } of late) {
    await inTransaction(sql, async (tx) => {
      await tx`SELECT 1 FROM webhook_replays WHERE id = ${id} FOR UPDATE`
      await settleFirst(tx, id)
      if (await settleLater(tx, id)) settled++
    })
  }
  return settled
}

/** Removes what failed at first and has ended. @returns Whether nothing is under way any more. */
async function settleLater(tx: Transaction, id: string): Promise<boolean> {
  const [row] = await tx<{ settled: boolean }[]>`
    WITH ended AS (
      DELETE FROM webhook_replay_items item USING webhook_deliveries delivery
      WHERE item.replay_id = ${id} AND item.failed AND delivery.id = item.delivery_id
        AND delivery.status IN ('delivered', 'exhausted', 'cancelled')
      RETURNING delivery.status
    )
    UPDATE webhook_replays SET
      delivered = delivered + (SELECT count(*) FROM ended WHERE status = 'delivered'),
      settled = status <> 'running'
        AND (SELECT count(*) FROM webhook_replay_items WHERE replay_id = ${id}) = (SELECT count(*) FROM ended),
      checked_at = clock_timestamp()
    WHERE id = ${id} RETURNING settled`
  return row?.settled ?? false
}
