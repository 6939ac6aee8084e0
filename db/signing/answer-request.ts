/** Stores a signer's answer to a request. Storing the same answer twice has no effect. */

import { canonicalJson } from '../../domain/canonical-json.js'
import { KeyturnError } from '../../domain/errors.js'
import { PASSING_REFUSALS, type SigningAnswer } from '../../domain/signing/signer-protocol.js'
import { appendAudit } from '../audit/append-audit.js'
import { inTransaction, json, type Sql, type Transaction } from '../connect.js'
import { notify } from '../notices.js'
import { freeNonces } from '../payouts/attempts/allocate-nonce.js'

export interface AnsweringSigner {
  readonly id: string
  readonly merchantId: string
}

/** Returns the decision alone: a signer that answers twice is at another place in its journal. */
function verdict(answer: SigningAnswer): string {
  return answer.outcome === 'signed'
    ? canonicalJson([answer.outcome, answer.signed_transaction, answer.transaction_hash])
    : canonicalJson([answer.outcome, answer.code])
}

/** Pause before a stopped signer is asked again. */
const AGAIN_AFTER_MS = 60_000

/**
 * Stores the answer, frees the nonce of a refused payout, and wakes the payout that waits for it. The
 * workflow checks signed bytes against the request before anything else happens with them. A refusal that
 * only says that the signer is stopped is no answer: the request, with its payload and nonce, is queued
 * again.
 *
 * @returns The payout's id, to signal its workflow.
 * @throws KeyturnError `NOT_FOUND` (another signer's, or unknown), `INVALID_STATE` (never claimed, or another
 * answer).
 */
export async function answerRequest(
  sql: Sql,
  signer: AnsweringSigner,
  answer: SigningAnswer,
): Promise<{ payoutId: string; replayed: boolean }> {
  return inTransaction(sql, async (tx) => {
    const [request] = await tx<
      { state: string; payout_id: string; transaction_id: string; answer: SigningAnswer | null }[]
    >`
      SELECT state, payout_id, transaction_id, answer FROM signing_requests
      WHERE id = ${answer.request_id} AND signer_id = ${signer.id} FOR UPDATE`
    if (!request) {
      throw new KeyturnError('NOT_FOUND', 'There is no such signing request for this signer', {
        details: { request_id: answer.request_id },
      })
    }
    if (request.answer) {
      if (verdict(request.answer) === verdict(answer)) return { payoutId: request.payout_id, replayed: true }
      throw new KeyturnError(
        'INVALID_STATE',
        'This request was answered otherwise before; the first answer stands',
        {
          details: { request_id: answer.request_id, state: request.state },
        },
      )
    }
    if (request.state !== 'leased') {
      throw new KeyturnError(
        'INVALID_STATE',
        `This request is ${request.state}; claim it before you answer`,
        {
          details: { request_id: answer.request_id, state: request.state },
        },
      )
    }
    if (answer.outcome === 'refused' && PASSING_REFUSALS.has(answer.code)) {
      await postpone(tx, signer, request.payout_id, answer)
      return { payoutId: request.payout_id, replayed: false }
    }
    await tx`
      UPDATE signing_requests
      SET state = ${answer.outcome}, answer = ${json(tx, answer)}, answered_at = clock_timestamp(), lease_until = NULL
      WHERE id = ${answer.request_id}`
    // A signer that names the nonce's owner has signed with it before. Allocating it to the next payout would
    // make that one fail too.
    if (answer.outcome === 'refused') {
      await freeNonces(tx, request.payout_id, answer.code === 'NONCE_CONFLICT')
    }
    await appendAudit(tx, {
      merchantId: signer.merchantId,
      actor: `signer:${signer.id}`,
      action: `signing_request.${answer.outcome}`,
      subject: request.payout_id,
      data:
        answer.outcome === 'signed'
          ? { request_id: answer.request_id, transaction_hash: answer.transaction_hash }
          : { request_id: answer.request_id, code: answer.code, message: answer.message },
    })
    await notify(tx, 'signing_answer', answer.request_id)
    // A queue that this request kept busy may have the next nonce to allocate.
    await notify(tx, 'signing_request', signer.id)
    return { payoutId: request.payout_id, replayed: false }
  })
}

async function postpone(
  tx: Transaction,
  signer: AnsweringSigner,
  payoutId: string,
  { request_id: id, code, message }: Extract<SigningAnswer, { outcome: 'refused' }>,
): Promise<void> {
  const postponed = { code, message, at: new Date().toISOString() }
  await tx`
    UPDATE signing_requests
    SET state = 'queued', lease_until = clock_timestamp() + ${AGAIN_AFTER_MS} * interval '1 millisecond',
        first_leased_at = NULL, postponed = ${tx.json(postponed)}
    WHERE id = ${id}`
  await appendAudit(tx, {
    merchantId: signer.merchantId,
    actor: `signer:${signer.id}`,
    action: 'signing_request.postponed',
    subject: payoutId,
    data: { request_id: id, code, message },
  })
}
