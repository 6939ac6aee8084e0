/** Ends an attempt that was not signed: withdraws its request, and releases its outpoints and its nonce. */

import type { Transaction } from '../../connect.js'
import { notify } from '../../notices.js'
import { freeNonces } from './allocate-nonce.js'

/**
 * Abandons the open attempt of a payout whose row the caller has locked.
 *
 * @param options.answered - The signer's answer was checked and is no signature of the transaction: refused,
 * or worthless.
 * @returns False, without a change, while a signer holds the request (it may have signed).
 */
export async function abandonAttempt(
  tx: Transaction,
  payoutId: string,
  options: { readonly answered?: boolean } = {},
): Promise<boolean> {
  const requests = await tx<{ id: string; state: string; transaction_id: string }[]>`
    SELECT id, state, transaction_id FROM signing_requests
    WHERE payout_id = ${payoutId} AND state <> 'withdrawn' FOR UPDATE`
  for (const request of requests) {
    const unsigned = request.state === 'queued' || request.state === 'refused'
    if (!unsigned && !(request.state === 'signed' && options.answered)) return false
  }
  await tx`
    UPDATE signing_requests SET state = 'withdrawn', lease_until = NULL
    WHERE payout_id = ${payoutId} AND state = 'queued'`
  await notify(tx, 'signing_answer', payoutId)
  await tx`UPDATE attempts SET state = 'abandoned' WHERE payout_id = ${payoutId} AND state = 'built'`
  await tx`
    UPDATE utxo_reservations SET released_at = clock_timestamp()
    WHERE payout_id = ${payoutId} AND released_at IS NULL`
  // A worthless answer is a signature of an unknown transaction.
  await freeNonces(
    tx,
    payoutId,
    requests.some((request) => request.state === 'signed'),
  )
  return true
}
