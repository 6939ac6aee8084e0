/**
 * Sends signed bytes. An error means that the outcome is unknown, so the same bytes are sent again; they are
 * never signed again for that. While a pause of settlement stands, only what cancels is sent.
 */

import type { BroadcastOutcome, ChainAdapter } from '../../../chains/adapter.js'
import type { Sql } from '../../../db/connect.js'
import { beginSend, endSend } from '../../../db/controls/pauses/begin-send.js'
import {
  type AttemptRow,
  isLive,
  listWithheld,
  type SignedAttempt,
} from '../../../db/payouts/attempts/find-attempts.js'
import type { ShownPause } from '../../../domain/controls/settlement-pause.js'

/**
 * The outcome of sending: the attempt that a node has, why no node has one, or the pause because of which
 * nothing was sent.
 */
export type Sent =
  | { readonly known: true; readonly attempt: SignedAttempt }
  | { readonly known: false; readonly reason: string; readonly pause?: ShownPause }

/** Time after which nothing more is sent under the note of `beginSend`. */
const SENDING_MS = 60_000

/**
 * Sends the newest attempt. If no node accepts it, sends the earlier ones: a node may refuse a higher fee and
 * accept an older attempt.
 *
 * @param all - Attempts of the payout, newest first, of which at least one is live.
 */
export async function sendAttempts(
  sql: Sql,
  adapter: ChainAdapter,
  id: string,
  all: readonly AttemptRow[],
): Promise<Sent> {
  const until = performance.now() + SENDING_MS
  const { note, pause } = await beginSend(sql, id)
  const withheld = listWithheld(all)
  const maySend = (attempt: SignedAttempt) =>
    !withheld.has(attempt.id) && (pause === null || attempt.purpose === 'cancel') && performance.now() < until
  try {
    let reason: string | null = null
    for (const attempt of all.filter(isLive)) {
      const sent: BroadcastOutcome | null = maySend(attempt)
        ? await adapter.broadcast(attempt.signed_transaction)
        : null
      if (sent?.kind === 'accepted' || sent?.kind === 'already_known') return { known: true, attempt }
      // A reply that is no acceptance is no refusal: the node may have the transaction all the same.
      if ((await adapter.outcome(attempt.txid)).kind !== 'unknown') return { known: true, attempt }
      reason ??= sent?.reason ?? null
    }
    if (pause !== null) return { known: false, reason: reason ?? 'nothing was sent', pause }
    if (reason === null && performance.now() < until) throw new Error('There is nothing signed to send')
    return { known: false, reason: reason ?? 'the nodes took too long to answer' }
  } finally {
    if (note !== null) await endSend(sql, note)
  }
}
