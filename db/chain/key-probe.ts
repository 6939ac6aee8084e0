/** Builds the index probe for many keys. */

import type { Queryable } from '../connect.js'

/**
 * Returns the right side of `column = ANY (…)` for thousands of sorted keys, so that the column's index is
 * walked once.
 *
 * The keys stand inside a sub-select, because the planner must not see them. In the first calls on a
 * connection it would plan for these very values, find the whole table cheaper while there are few rows, and
 * compare each row with each key (seconds).
 */
export const keyProbe = (sql: Queryable, keys: BigInt64Array) =>
  sql`(SELECT ${`{${keys.join(',')}}`}::text::bigint[])::bigint[]`
