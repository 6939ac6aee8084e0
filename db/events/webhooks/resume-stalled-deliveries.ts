/** Resumes deliveries that wait without a workflow. */

import { OPEN_DELIVERIES } from '../../../domain/events/delivery-status.js'
import type { Queryable } from '../../connect.js'
import { members } from '../../members.js'

/** Deliveries that one call resumes. */
const BATCH = 500

/**
 * Makes deliveries pending again, for the sealer to start: those whose next attempt is long overdue, because
 * their workflow was terminated or lost with its server, those that wait for a circuit although their window is
 * over, and held ones whose endpoint is enabled.
 *
 * @param overdueMs - Lateness of an overdue attempt. It must be far above the retry interval, because an
 * attempt may be late by that if its endpoint has many under way.
 * @param windowMs - Retry window, for which a delivery may wait for a circuit.
 * @returns How many it made pending.
 */
export async function resumeStalledDeliveries(
  sql: Queryable,
  overdueMs: number,
  windowMs: number,
): Promise<number> {
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
      UNION ALL
      SELECT id FROM (
        SELECT delivery.id FROM webhook_deliveries delivery
        JOIN webhook_endpoints endpoint ON endpoint.id = delivery.endpoint_id
        WHERE delivery.status = 'held' AND endpoint.status = 'active' LIMIT ${BATCH}
      ) AS freed
    ) AND status IN ${members(sql, OPEN_DELIVERIES)}`
  if (resumed.count > 0) await sql`SELECT pg_notify('sealer', '')`
  return resumed.count
}
