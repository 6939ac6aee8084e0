/**
 * Passes over a further attempt that a signer claimed and does not answer, so that it keeps no other attempt
 * of its payout waiting.
 */

import { SENT_PAYOUTS } from '../../../domain/payouts/stage-sets.js'
import type { Transaction } from '../../connect.js'
import type { PayoutRow } from '../payout-row.js'
import { reportUnanswered } from './report-unanswered.js'

interface Passed {
  readonly id: string
  readonly signer_id: string
  readonly transaction_id: string
  readonly number: number
  readonly purpose: 'pay' | 'cancel'
}

/**
 * Passes over what the signer holds of a payout whose first attempt is signed; the caller has locked the row.
 * The next replacement or cancellation is built beside it. That is safe because every attempt has the first
 * one's nonce, or spends all of its inputs, so at most one of them is ever mined.
 *
 * An attempt that is passed over stays an attempt: its answer is accepted whenever it comes, its coins stay
 * reserved, and nothing is released before the chain has excluded it.
 *
 * @param actor - Who decided it: a person, or the platform after a time.
 * @returns Whether there was such an attempt.
 */
export async function passOver(
  tx: Transaction,
  row: Pick<PayoutRow, 'id' | 'merchant_id' | 'network' | 'stage'>,
  actor: string,
): Promise<boolean> {
  if (!SENT_PAYOUTS[row.stage]) return false
  const requests = await tx<Passed[]>`
    UPDATE signing_requests request SET passed_at = clock_timestamp()
    FROM attempts attempt
    WHERE attempt.id = request.transaction_id AND attempt.state = 'built'
      AND request.payout_id = ${row.id} AND request.state = 'leased' AND request.passed_at IS NULL
    RETURNING request.id, request.signer_id, attempt.id AS transaction_id, attempt.number, attempt.purpose`
  for (const request of requests) {
    await reportUnanswered(tx, row, actor, {
      message:
        'A signer took a further attempt of a payout and does not answer it; another one may be built beside it, and at most one of them is ever mined',
      request_id: request.id,
      signer_id: request.signer_id,
      transaction_id: request.transaction_id,
      attempt: request.number,
      purpose: request.purpose,
    })
  }
  return requests.length > 0
}
