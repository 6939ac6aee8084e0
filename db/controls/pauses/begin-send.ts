/**
 * Brackets the sending of a payout's bytes, so that the person who places a pause knows what is still being sent.
 * The sender commits its note and then looks for a pause; a pause is committed before notes are counted. So either
 * the note is counted or the pause is seen, and no one waits for a lock.
 */

import type { Queryable, Sql } from '../../connect.js'
import { newId } from '../../new-id.js'
import type { PauseRow, PauseScope } from './pause-row.js'

/**
 * Time for which a note counts if its process dies. It is longer than the time in which a sender may begin to
 * send, so that a request under way then has ended.
 */
const NOTE_MS = 120_000

/** Either sending may begin, and `endSend` takes the note afterwards, or a pause forbids it. */
export type BegunSend =
  | { readonly note: string; readonly pause: null }
  | { readonly note: null; readonly pause: PauseRow }

/** Notes that a payout is being sent, unless a pause stands. */
export async function beginSend(sql: Sql, payoutId: string): Promise<BegunSend> {
  const note = newId('snd')
  await sql`
    INSERT INTO sends_under_way (id, payout_id, until)
    VALUES (${note}, ${payoutId}, clock_timestamp() + ${NOTE_MS} * interval '1 millisecond')`
  // Another statement, so that it sees a pause that was committed after the note.
  const [pause] = await sql<PauseRow[]>`
    SELECT pause.* FROM payouts payout
    CROSS JOIN LATERAL standing_pause(payout.merchant_id, payout.network, payout.coin) pause
    WHERE payout.id = ${payoutId}`
  if (!pause) return { note, pause: null }
  await endSend(sql, note)
  return { note: null, pause }
}

/** Removes the note, and those of processes that died. */
export async function endSend(sql: Queryable, note: string): Promise<void> {
  await sql`DELETE FROM sends_under_way WHERE id = ${note} OR until < clock_timestamp()`
}

/** Counts the payouts in a scope that processes may be sending at this moment. */
export async function countSends(sql: Queryable, { merchantId, network, coin }: PauseScope): Promise<number> {
  const [row] = await sql<{ sending: number }[]>`
    SELECT count(DISTINCT payout_id)::int AS sending FROM sends_under_way send JOIN payouts payout ON payout.id = send.payout_id
    WHERE send.until > clock_timestamp()
      AND (${merchantId}::text IS NULL OR payout.merchant_id = ${merchantId})
      AND (${network}::text IS NULL OR payout.network = ${network})
      AND (${coin}::text IS NULL OR payout.coin = ${coin})`
  return row?.sending ?? 0
}
