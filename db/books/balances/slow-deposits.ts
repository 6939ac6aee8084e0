/** Finds the deposits that took long, so that a question about the past need not read all that a merchant ever had. */

import type { PendingQuery, Row } from 'postgres'
import type { Queryable } from '../../connect.js'

/** A deposit that took longer than this until its credit is among the slow ones. */
export const USUALLY_PENDING_MS = 6 * 3_600_000

/**
 * Returns the condition on a row of `deposits` that it took longer than usual, was mined again or was replaced. It is
 * that of the index `deposits_slow`, figure by figure.
 */
export function isSlow(sql: Queryable): PendingQuery<Row[]> {
  return sql`
    (epoch > 0 OR status = 'replaced' OR greatest(confirmed_at, credited_at) - detected_at > interval '6 hours')`
}
