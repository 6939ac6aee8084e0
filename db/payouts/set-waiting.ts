/** Stores on a payout why nothing moves at the moment. */

import { FINAL_PAYOUTS } from '../../domain/payouts/stage-sets.js'
import { isoNow, type Queryable } from '../connect.js'
import { members } from '../members.js'

/**
 * Stores the reason. `since` stays as long as the code does. `null` clears it. A payout at its end is not
 * changed.
 */
export async function setWaiting(
  sql: Queryable,
  id: string,
  reason: { readonly code: string; readonly message: string } | null,
): Promise<void> {
  if (reason === null) {
    await sql`UPDATE payouts SET waiting = NULL WHERE id = ${id} AND waiting IS NOT NULL`
    return
  }
  await sql`
    UPDATE payouts SET waiting = jsonb_build_object(
      'code', ${reason.code}::text, 'message', ${reason.message}::text,
      'since', CASE WHEN waiting ->> 'code' = ${reason.code} THEN waiting ->> 'since'
                    ELSE ${isoNow(sql)} END)
    WHERE id = ${id} AND stage NOT IN ${members(sql, FINAL_PAYOUTS)}
      AND (waiting IS NULL OR waiting ->> 'code' <> ${reason.code} OR waiting ->> 'message' <> ${reason.message})`
}
