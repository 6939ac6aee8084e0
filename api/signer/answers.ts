/** Takes the answers of signers: one, or several together. */

import { z } from 'zod'
import { answerRequest, answerRequests } from '../../db/signing/answer-request.js'
import type { AnsweringSigner, Verdict } from '../../db/signing/answered-request.js'
import type { JournalHead } from '../../db/signing/see-signer.js'
import { KeyturnError } from '../../domain/errors.js'
import {
  type AnswerResponse,
  type AnswersResponse,
  type AnswerVerdict,
  MOST_ANSWERS,
  REFUSAL_CODES,
} from '../../domain/signing/signer-protocol.js'
import { withdrawalId } from '../../temporal/ids.js'
import type { ApiDependencies } from '../context.js'
import { startSoon } from '../start/start-soon.js'

/** Fields of every body of a signer that serves: how far its journal has come. */
export const journal = {
  journal_head: z.string().regex(/^[0-9a-f]{64}$/),
  journal_sequence: z.int().min(0),
}
const signed = z.strictObject({
  request_id: z.string().max(100),
  outcome: z.literal('signed'),
  signed_transaction: z
    .string()
    .min(2)
    .max(1_000_000)
    .regex(/^(0x)?[0-9a-f]*$/, 'lower-case hex'),
  transaction_hash: z.string().regex(/^(0x)?[0-9a-f]{64}$/),
})
const refused = z.strictObject({
  request_id: z.string().max(100),
  outcome: z.literal('refused'),
  code: z.enum(REFUSAL_CODES),
  message: z.string().max(2_000),
})
const undecided = z.strictObject({
  request_id: z.string().max(100),
  outcome: z.literal('undecided'),
  run: z.string().min(1).max(100),
})
/** Body with one answer. */
export const signingAnswer = z.discriminatedUnion('outcome', [
  signed.extend(journal),
  refused.extend(journal),
])
/** Body with several answers. */
export const signingAnswers = z.strictObject({
  answers: z
    .array(z.discriminatedUnion('outcome', [signed, refused, undecided]))
    .min(1)
    .max(MOST_ANSWERS),
  ...journal,
})

interface Stored<Data> {
  readonly data: Data
  readonly position: JournalHead
}

/** Whether a body has several answers. */
export function isSeveral(body: unknown): boolean {
  return typeof body === 'object' && body !== null && 'answers' in body
}

/**
 * Stores one answer and wakes its payout's workflow.
 *
 * @throws KeyturnError when the answer is not taken.
 */
export async function storeAnswer(
  dependencies: ApiDependencies,
  signer: AnsweringSigner,
  answer: z.infer<typeof signingAnswer>,
): Promise<Stored<AnswerResponse>> {
  const { payoutId, replayed } = await answerRequest(dependencies.sql, signer, answer)
  wake(dependencies, payoutId)
  return { data: { request_id: answer.request_id, replayed }, position: positionOf(answer) }
}

/** Stores several answers together, each with a verdict of its own, and wakes the workflows of their payouts. */
export async function storeAnswers(
  dependencies: ApiDependencies,
  signer: AnsweringSigner,
  body: z.infer<typeof signingAnswers>,
): Promise<Stored<AnswersResponse>> {
  const { verdicts, payoutIds } = await answerRequests(dependencies.sql, signer, body.answers, body)
  for (const payoutId of payoutIds) wake(dependencies, payoutId)
  const answers = body.answers.map(({ request_id }, index) => toVerdict(request_id, verdicts[index]))
  return { data: { answers }, position: positionOf(body) }
}

function toVerdict(id: string, verdict: Verdict | undefined): AnswerVerdict {
  if (verdict === undefined) throw new Error('Each answer has a verdict')
  if (!(verdict instanceof KeyturnError)) return verdict
  return { request_id: id, error: { code: verdict.code, message: verdict.message } }
}

function wake(dependencies: ApiDependencies, payoutId: string): void {
  startSoon(dependencies, `signer's answer about ${payoutId}`, (client) =>
    client.getHandle(withdrawalId(payoutId)).signal('answered'),
  )
}

function positionOf(body: { journal_head: string; journal_sequence: number }): JournalHead {
  return { head: body.journal_head, sequence: body.journal_sequence }
}
