/** Sends signed bytes. An error means unknown, so the same bytes go again; they are never signed anew for that. */

import type { BroadcastOutcome, ChainAdapter } from '../../../chains/adapter.js'
import type { SignedAttempt } from '../../../db/payouts/attempts/find-attempts.js'

/** What became of sending: the attempt that a node has, or why none has one. */
export type Sent =
  | { readonly known: true; readonly payment: SignedAttempt }
  | { readonly known: false; readonly reason: string }

/**
 * Sends the newest attempt; where no node takes it, those before it: a dearer one may be refused while an older one is welcome.
 *
 * @param payments - Newest first, at least one.
 * @param withheld - Ids of those that are looked for, because others may have sent them, but not sent.
 */
export async function sendAttempts(
  adapter: ChainAdapter,
  payments: readonly SignedAttempt[],
  withheld: ReadonlySet<string>,
): Promise<Sent> {
  let reason: string | null = null
  for (const payment of payments) {
    const sent: BroadcastOutcome | null = withheld.has(payment.id)
      ? null
      : await adapter.broadcast(payment.signed_transaction)
    if (sent?.kind === 'accepted' || sent?.kind === 'already_known') return { known: true, payment }
    // No yes is not a no: the node may have it all the same.
    if ((await adapter.outcome(payment.txid)).kind !== 'unknown') return { known: true, payment }
    reason ??= sent?.reason ?? null
  }
  if (reason === null) throw new Error('There is nothing signed to send')
  return { known: false, reason }
}
