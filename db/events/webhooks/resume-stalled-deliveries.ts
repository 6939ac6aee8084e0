/** Resumes deliveries that wait without a workflow, and lets those follow whose endpoint has moved without them. */

import { OPEN_DELIVERIES } from '../../../domain/events/delivery-status.js'
import type { Sql } from '../../connect.js'
import { members } from '../../members.js'
import { moveDeliveries } from './move-deliveries.js'

/** Deliveries of each kind that one call resumes. */
const BATCH = 500
/** Batches of deliveries of one endpoint that one call moves to the endpoint's status. */
const MOVES = 40

/**
 * Makes deliveries pending again, for the sealer to start: those whose next attempt is long overdue, because
 * their workflow was terminated or lost with its server, and those that wait for a circuit although their window is
 * over. Deliveries whose endpoint was paused, resumed or deleted without them are moved first: the process that moved the
 * endpoint died, or they are very many.
 *
 * @param overdueMs - Lateness of an overdue attempt. It must be far above the retry interval, because an
 * attempt may be late by that if its endpoint has many under way.
 * @param windowMs - Retry window, for which a delivery may wait for a circuit.
 * @returns How many it made pending or moved.
 */
export async function resumeStalledDeliveries(
  sql: Sql,
  overdueMs: number,
  windowMs: number,
): Promise<number> {
  let moved = 0
  for (const id of await endpointsAhead(sql)) moved += (await moveDeliveries(sql, id, MOVES)).count
  const resumed = await sql`
    UPDATE webhook_deliveries
    SET status = 'pending', next_attempt_at = now(), workflow_started_at = NULL, restarts = restarts + 1,
        circuit_wait_since = NULL
    WHERE id IN (
      SELECT id FROM (
        SELECT id FROM webhook_deliveries
        WHERE status = 'pending' AND workflow_started_at IS NOT NULL AND circuit_wait_since IS NULL
          AND coalesce(next_attempt_at, workflow_started_at) < now() - ${overdueMs} * interval '1 millisecond'
        ORDER BY coalesce(next_attempt_at, workflow_started_at) LIMIT ${BATCH}
      ) AS overdue
      UNION ALL
      SELECT id FROM (
        SELECT id FROM webhook_deliveries
        WHERE status = 'pending'
          AND circuit_wait_since < now() - ${windowMs + overdueMs} * interval '1 millisecond'
        LIMIT ${BATCH}
      ) AS waiting
    ) AND status IN ${members(sql, OPEN_DELIVERIES)}`
  if (resumed.count > 0) await sql`SELECT pg_notify('sealer', '')`
  return moved + resumed.count
}

/** Returns the endpoints with deliveries that have not followed their status, found by one probe of an index for each. */
async function endpointsAhead(sql: Sql): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    SELECT id FROM webhook_endpoints endpoint
    WHERE status <> 'active' AND EXISTS (
        SELECT FROM webhook_deliveries WHERE endpoint_id = endpoint.id AND status = 'pending')
      OR status IN ('active', 'deleted') AND EXISTS (
        SELECT FROM webhook_deliveries WHERE endpoint_id = endpoint.id AND status = 'held')
    ORDER BY id`
  return rows.map((row) => row.id)
}
