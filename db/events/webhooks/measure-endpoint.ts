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
 * without a result, because these say nothing about the endpoint. The attempts are counted as they are read: what is
 * kept is a row for each duration and result, of which there are few however many attempts a month has. The index
 * `webhook_attempts_figures` has all that is read, under the same condition.
 */
export async function measureEndpoint(
  sql: Queryable,
  endpointId: string,
  windowMs: number,
): Promise<EndpointFigures> {
  const [row] = await sql<EndpointFigures[]>`
    WITH alike AS (
      SELECT status_code, duration_ms, failure_class, count(*) AS attempts FROM webhook_attempts
      WHERE endpoint_id = ${endpointId} AND at >= now() - ${windowMs} * interval '1 millisecond'
        AND NOT test AND (failure_class IS NOT NULL OR status_code IS NOT NULL)
      GROUP BY status_code, duration_ms, failure_class
    ), total AS (
      SELECT coalesce(sum(attempts), 0) AS attempts, coalesce(sum(attempts) FILTER (WHERE failure_class IS NULL), 0) AS successes FROM alike
    ), duration AS (
      SELECT duration_ms, sum(sum(attempts)) OVER (ORDER BY duration_ms) AS attempts FROM alike GROUP BY duration_ms
    )
    SELECT attempts::int, successes::int,
           (SELECT min(duration_ms) FROM duration WHERE duration.attempts >= total.attempts * 0.5) AS p50_ms,
           (SELECT min(duration_ms) FROM duration WHERE duration.attempts >= total.attempts * 0.99) AS p99_ms,
           (SELECT least(${oldest(sql, endpointId, sql`'pending'`)}, ${oldest(sql, endpointId, sql`'held'`)}))
             AS oldest_undelivered_at,
           (SELECT coalesce(json_object_agg(status_code, attempts), '{}') FROM (
              SELECT status_code, sum(attempts) AS attempts FROM alike
              WHERE status_code IS NOT NULL GROUP BY status_code) AS each) AS by_status_code,
           (SELECT coalesce(json_object_agg(failure_class, attempts), '{}') FROM (
              SELECT failure_class, sum(attempts) AS attempts FROM alike
              WHERE failure_class IS NOT NULL GROUP BY failure_class) AS each) AS by_failure_class
    FROM total`
  if (!row) throw new Error('An aggregate returned no row')
  return row
}

/** The status stands in the SQL as a literal, because a partial index names it. */
const oldest = (sql: Queryable, endpointId: string, status: ReturnType<Queryable>) => sql`(
  SELECT created_at FROM webhook_deliveries
  WHERE endpoint_id = ${endpointId} AND status = ${status} AND event_type <> 'webhook.test'
  ORDER BY created_at LIMIT 1)`
