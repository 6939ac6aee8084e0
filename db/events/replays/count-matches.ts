/** Counts what a replay will send, slice by slice, so that no statement takes long. */

import type { Queryable } from '../../connect.js'
import { type Reached, SLICE, selectMatches } from './select-matches.js'

export interface CountedMatches {
  readonly matched: number
  /** Matches that are not about to be sent already. */
  readonly renewed: number
  /** Whether the whole window was counted. */
  readonly complete: boolean
}

/** Counts until the window ends or `goOn` returns false. */
export async function countMatches(
  sql: Queryable,
  replayId: string,
  goOn: () => boolean,
): Promise<CountedMatches> {
  let reached: Reached | null = null
  let matched = 0
  let renewed = 0
  for (;;) {
    const [slice]: { examined: number; matched: number; renewed: number; at: string; id: string }[] =
      await sql`
      WITH replay AS (SELECT * FROM webhook_replays WHERE id = ${replayId}), ${selectMatches(sql, reached)}
      SELECT (SELECT count(*)::int FROM slice) AS examined, (SELECT count(*)::int FROM matching) AS matched,
             (SELECT count(*)::int FROM matching WHERE ready IS NOT TRUE) AS renewed,
             last.occurred_at::text AS at, last.id
      FROM (SELECT 1) AS one LEFT JOIN (
        SELECT occurred_at, id FROM slice ORDER BY occurred_at DESC, id DESC LIMIT 1) AS last ON true`
    if (!slice) throw new Error('A count returned no row')
    matched += slice.matched
    renewed += slice.renewed
    if (slice.examined < SLICE) return { matched, renewed, complete: true }
    if (!goOn()) return { matched, renewed, complete: false }
    reached = { at: slice.at, id: slice.id }
  }
}
