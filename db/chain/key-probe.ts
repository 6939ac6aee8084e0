import type { Queryable } from '../connect.js'

/**
 * The right side of `column = ANY (…)` for thousands of sorted keys, so that the column's index is walked
 * once.
 *
 * Inside a sub-select, because the planner must not see the keys: for the first calls on a connection it
 * would plan for these very values, take the whole table to be cheaper while there are few rows, and compare
 * each row with each key (seconds).
 */
export const keyProbe = (sql: Queryable, keys: BigInt64Array) =>
  sql`(SELECT ${`{${keys.join(',')}}`}::text::bigint[])::bigint[]`
