/** Takes back a request of a run that its signer has not decided. */

import type { GivenBack } from '../../domain/signing/signer-protocol.js'
import { appendAudit } from '../audit/append-audit.js'
import type { Transaction } from '../connect.js'
import { takeNonceBack } from '../payouts/attempts/allocate-nonce.js'
import {
  type AnsweredRequest,
  type AnsweringSigner,
  unknownRequest,
  type Verdict,
} from './answered-request.js'

/**
 * Queues the request again without its nonce, so that it gets the next one behind what was signed.
 *
 * A message about an earlier claim changes nothing: the request was answered or handed out again since. Nor
 * does one about a payout that lost its nonce, because its signer was silent for too long: that nonce is
 * filled by a cancellation of this payout, which so keeps its payload.
 */
export async function giveBack(
  tx: Transaction,
  signer: AnsweringSigner,
  request: AnsweredRequest | undefined,
  { request_id: id, run }: GivenBack,
): Promise<Verdict> {
  if (!request) return unknownRequest(id)
  if (request.state !== 'leased' || request.run !== run) return { request_id: id, replayed: true }
  if (!(await takeNonceBack(tx, request.payout_id))) return { request_id: id, replayed: true }
  await tx`
    UPDATE signing_requests SET state = 'queued', lease_until = NULL, first_leased_at = NULL, run = NULL
    WHERE id = ${id}`
  await tx`
    UPDATE attempts SET nonce = NULL, payload = payload - 'nonce' WHERE id = ${request.transaction_id}`
  Object.assign(request, { state: 'queued', run: null })
  await appendAudit(tx, {
    merchantId: signer.merchantId,
    actor: `signer:${signer.id}`,
    action: 'signing_request.given_back',
    subject: request.payout_id,
    data: { request_id: id, run },
  })
  return { request_id: id, replayed: false }
}
