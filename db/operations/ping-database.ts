/** Checks that PostgreSQL answers. */

import type { Queryable } from '../connect.js'

/** Runs the smallest query. @throws The error of the database, if it does not answer. */
export async function pingDatabase(sql: Queryable): Promise<void> {
  await sql`SELECT 1`
}
