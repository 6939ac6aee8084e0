/**
 * Sends signed bytes. An error means that the outcome is unknown, so the same bytes are sent again; they are
 * never signed again for that.
 */

import type { BroadcastOutcome, ChainAdapter } from '../../../chains/adapter.js'
import type { SignedAttempt } from '../../../db/payouts/attempts/find-attempts.js'

/** The outcome of sending: the attempt that a node has, or why no node has one. */
export type Sent =
  | { readonly known: true; readonly attempt: SignedAttempt }
  | { readonly known: false; readonly reason: string }

/**
 * Sends the newest attempt. If no node accepts it, sends the earlier ones: a node may refuse a higher fee and
 * accept an older attempt.
 *
 * @param attempts - Newest first, at least one.
 * @param withheld - Ids of attempts that are searched for, because others may have sent them, but not sent.
 */
export async function sendAttempts(
  adapter: ChainAdapter,
  attempts: readonly SignedAttempt[],
  withheld: ReadonlySet<string>,
): Promise<Sent> {
  let reason: string | null = null
  for (const attempt of attempts) {
    const sent: BroadcastOutcome | null = withheld.has(attempt.id)
      ? null
      : await adapter.broadcast(attempt.signed_transaction)
    if (sent?.kind === 'accepted' || sent?.kind === 'already_known') return { known: true, attempt }
    // A reply that is no acceptance is no refusal: the node may have the transaction all the same.
    if ((await adapter.outcome(attempt.txid)).kind !== 'unknown') return { known: true, attempt }
    reason ??= sent?.reason ?? null
  }
  if (reason === null) throw new Error('There is nothing signed to send')
  return { known: false, reason }
}
