/** How many signers there are, and how many of them are away. */

import type { Queryable } from '../connect.js'

export interface SignerCount {
  readonly enrolled: number
  readonly offline: number
  /** Seconds since the one that is away longest was last heard; null where none is. */
  readonly silent_seconds: number | null
}

/** Revoked signers do not count. */
export async function countSigners(sql: Queryable): Promise<SignerCount> {
  const [row] = await sql<SignerCount[]>`
    SELECT count(*)::int AS enrolled, (count(*) FILTER (WHERE NOT online))::int AS offline,
           (extract(epoch FROM clock_timestamp() - min(last_seen_at) FILTER (WHERE NOT online)))::int AS silent_seconds
    FROM signers WHERE revoked_at IS NULL`
  return row ?? { enrolled: 0, offline: 0, silent_seconds: null }
}
