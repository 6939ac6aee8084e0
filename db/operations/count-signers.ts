/** Counts the signers and those of them that are offline. */

import type { Queryable } from '../connect.js'

export interface SignerCount {
  readonly enrolled: number
  readonly offline: number
  /** Longest silence of an offline signer, in seconds. `null` if none is offline. */
  readonly silent_seconds: number | null
}

/** Counts the signers that are not revoked. */
export async function countSigners(sql: Queryable): Promise<SignerCount> {
  const [row] = await sql<SignerCount[]>`
    SELECT count(*)::int AS enrolled, (count(*) FILTER (WHERE NOT online))::int AS offline,
           (extract(epoch FROM clock_timestamp() - min(last_seen_at) FILTER (WHERE NOT online)))::int AS silent_seconds
    FROM signers WHERE revoked_at IS NULL`
  return row ?? { enrolled: 0, offline: 0, silent_seconds: null }
}
