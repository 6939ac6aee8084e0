/** Measures how an endpoint did: attempts, successes, durations, and what it has not accepted. */

import type { FailureClass } from '../../../domain/events/failure-class.js'
import type { Queryable } from '../../connect.js'

export interface EndpointFigures {
  /** Attempts with a result. */
  readonly attempts: number
  readonly successes: number
  /** `null` without attempts. */
  readonly p50_ms: number | null
  readonly p99_ms: number | null
  readonly oldest_undelivered_at: Date | null
  readonly by_status_code: Readonly<Record<string, number>>
  readonly by_failure_class: Readonly<Partial<Record<FailureClass, number>>>
}

/**
 * Returns the figures of the last `windowMs` of an endpoint. Test events do not count, nor do attempts that ended
 * without a result, because these say nothing about the endpoint.
 */
export async function measureEndpoint(
  sql: Queryable,
  endpointId: string,
  windowMs: number,
): Promise<EndpointFigures> {
  const [row] = await sql<EndpointFigures[]>`
    WITH attempt AS MATERIALIZED (
      SELECT status_code, duration_ms, error, failure_class FROM webhook_attempts
      WHERE endpoint_id = ${endpointId} AND at >= now() - ${windowMs} * interval '1 millisecond'
        AND NOT test AND (error IS NULL OR failure_class IS NOT NULL)
    )
    SELECT count(*)::int AS attempts, (count(*) FILTER (WHERE error IS NULL))::int AS successes,
           percentile_disc(0.5) WITHIN GROUP (ORDER BY duration_ms) AS p50_ms,
           percentile_disc(0.99) WITHIN GROUP (ORDER BY duration_ms) AS p99_ms,
           (SELECT least(${oldest(sql, endpointId, sql`'pending'`)}, ${oldest(sql, endpointId, sql`'held'`)}))
             AS oldest_undelivered_at,
           (SELECT coalesce(json_object_agg(status_code, attempts), '{}') FROM (
              SELECT status_code, count(*) AS attempts FROM attempt
              WHERE status_code IS NOT NULL GROUP BY status_code) AS each) AS by_status_code,
           (SELECT coalesce(json_object_agg(failure_class, attempts), '{}') FROM (
              SELECT failure_class, count(*) AS attempts FROM attempt
              WHERE failure_class IS NOT NULL GROUP BY failure_class) AS each) AS by_failure_class
    FROM attempt`
  if (!row) throw new Error('An aggregate returned no row')
  return row
}

/** The status stands in the SQL as a literal, because a partial index names it. */
const oldest = (sql: Queryable, endpointId: string, status: ReturnType<Queryable>) => sql`(
  SELECT created_at FROM webhook_deliveries
  WHERE endpoint_id = ${endpointId} AND status = ${status} AND event_type <> 'webhook.test'
  ORDER BY created_at LIMIT 1)`
