/** Says whether what a check finds is what the exception of its cause holds already. */

import type { PendingQuery, Row } from 'postgres'
import type { Queryable } from '../../connect.js'

/** Four decimal numbers, as `concat_ws` joins them. */
const NUMBERS = '^-?[0-9]+([.][0-9]+)?( -?[0-9]+([.][0-9]+)?){3}$'

/**
 * Returns the condition that two values are those of the exception `known`. Of the two sums of an account, each
 * booking and each transaction moves both, so there the same distance between them is the same difference.
 *
 * @param expected - Value of what was found, in SQL, and `actual` the other one.
 */
export function sameValues(sql: Queryable, expected: PendingQuery<Row[]>, actual: PendingQuery<Row[]>) {
  return sql`CASE
    WHEN known.evidence ? 'account'
      AND concat_ws(' ', known.expected, known.actual, ${expected}, ${actual}) ~ ${NUMBERS}
    THEN known.expected::numeric - known.actual::numeric = (${expected})::numeric - (${actual})::numeric
    ELSE known.expected IS NOT DISTINCT FROM ${expected} AND known.actual IS NOT DISTINCT FROM ${actual} END`
}
