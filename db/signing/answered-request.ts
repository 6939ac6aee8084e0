/** Defines a request that a signer answers, and the verdicts about answers. */

import { KeyturnError } from '../../domain/errors.js'
import type { AnswerResponse, SigningAnswer } from '../../domain/signing/signer-protocol.js'

export interface AnsweringSigner {
  readonly id: string
  readonly merchantId: string
}

/** A request of a signer under its lock. The fields that a verdict changes are kept up to date. */
export interface AnsweredRequest {
  readonly id: string
  readonly payout_id: string
  readonly transaction_id: string
  state: string
  run: string | null
  answer: SigningAnswer | null
}

/** What became of an answer: stored, or the error that it gets. */
export type Verdict = AnswerResponse | KeyturnError

/** Returns the error of an answer to a request that is unknown, or another signer's. */
export function unknownRequest(id: string): KeyturnError {
  return new KeyturnError('NOT_FOUND', 'There is no such signing request for this signer', {
    details: { request_id: id },
  })
}

/** Returns the error of an answer that its request does not take. */
export function wrongState({ id, state }: AnsweredRequest, message: string): KeyturnError {
  return new KeyturnError('INVALID_STATE', message, { details: { request_id: id, state } })
}
