/** Rounds times of PostgreSQL, which have microseconds, up to the milliseconds of a `Date`. */

import type { Queryable } from './connect.js'

/**
 * Returns the SQL of a time rounded up to a millisecond. Rounded down, as the driver does, it would lie before what
 * happened then.
 */
export const wholeMs = (sql: Queryable, time: ReturnType<Queryable>) =>
  sql`date_trunc('milliseconds', ${time} + interval '999 microseconds')`
