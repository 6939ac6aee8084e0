/** Stores a signer's answers to requests. Storing the same answer twice has no effect. */

import { canonicalJson } from '../../domain/canonical-json.js'
import { KeyturnError } from '../../domain/errors.js'
import {
  type GivenBack,
  PASSING_REFUSALS,
  type PlainAnswer,
  type SigningAnswer,
} from '../../domain/signing/signer-protocol.js'
import { appendAudit, insertAudit } from '../audit/append-audit.js'
import { inTransaction, json, type Sql, type Transaction } from '../connect.js'
import { notify } from '../notices.js'
import { freeNonces } from '../payouts/attempts/allocate-nonce.js'
import {
  type AnsweredRequest,
  type AnsweringSigner,
  unknownRequest,
  type Verdict,
  wrongState,
} from './answered-request.js'
import { giveBack } from './give-back.js'

type JournalHead = Pick<SigningAnswer, 'journal_head' | 'journal_sequence'>

/** Returns the decision alone: a signer that answers twice is at another place in its journal. */
function verdict(answer: PlainAnswer): string {
  return answer.outcome === 'signed'
    ? canonicalJson([answer.outcome, answer.signed_transaction, answer.transaction_hash])
    : canonicalJson([answer.outcome, answer.code])
}

/** Pause before a stopped signer is asked again. */
const AGAIN_AFTER_MS = 60_000

/**
 * Stores one answer as `answerRequests` does.
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
  const { verdicts, payoutIds } = await answerRequests(sql, signer, [answer], answer)
  const [stored] = verdicts
  if (stored instanceof KeyturnError) throw stored
  const [payoutId] = payoutIds
  if (!stored || payoutId === undefined) throw new Error('One answer has one verdict')
  return { payoutId, replayed: stored.replayed }
}

/**
 * Stores the answers in their order, frees the nonces of refused payouts, and wakes the payouts that wait for
 * them. The workflow checks signed bytes against the request before anything else happens with them. A
 * refusal that only says that the signer is stopped is no answer: the request, with its payload and nonce, is
 * queued again. One that the signer gives back undecided is queued again without its nonce.
 *
 * All of them are stored together or not at all, so no claim sees a run of which only a part was given back.
 * An answer that is wrong by itself gets an error of its own and keeps no other from being stored.
 *
 * @returns A verdict for each answer, and the payouts that have an answer now, to signal their workflows.
 */
export async function answerRequests(
  sql: Sql,
  signer: AnsweringSigner,
  answers: readonly (PlainAnswer | GivenBack)[],
  journal: JournalHead,
): Promise<{ verdicts: readonly Verdict[]; payoutIds: readonly string[] }> {
  return inTransaction(sql, async (tx) => {
    const requests = await lockRequests(
      tx,
      signer,
      answers.map((answer) => answer.request_id),
    )
    const verdicts: Verdict[] = []
    const payoutIds = new Set<string>()
    for (const answer of answers) {
      const request = requests.get(answer.request_id)
      const stored =
        answer.outcome === 'undecided'
          ? await giveBack(tx, signer, request, answer)
          : await store(tx, signer, request, withPosition(answer, journal))
      verdicts.push(stored)
      if (!(stored instanceof KeyturnError) && request && answer.outcome !== 'undecided')
        payoutIds.add(request.payout_id)
    }
    // A queue that these requests kept busy may have the next nonces to allocate.
    await notify(tx, 'signing_request', signer.id)
    return { verdicts, payoutIds: [...payoutIds] }
  })
}

/** Locks the signer's own requests, in one order, so that two transactions do not wait for each other. */
async function lockRequests(
  tx: Transaction,
  signer: AnsweringSigner,
  ids: readonly string[],
): Promise<ReadonlyMap<string, AnsweredRequest>> {
  const rows = await tx<AnsweredRequest[]>`
    SELECT id, state, payout_id, transaction_id, run, answer FROM signing_requests
    WHERE id = ANY (${[...ids]}) AND signer_id = ${signer.id} ORDER BY id FOR UPDATE`
  return new Map(rows.map((row) => [row.id, row]))
}

function withPosition(answer: PlainAnswer, { journal_head, journal_sequence }: JournalHead): SigningAnswer {
  return { ...answer, journal_head, journal_sequence }
}

async function store(
  tx: Transaction,
  signer: AnsweringSigner,
  request: AnsweredRequest | undefined,
  answer: SigningAnswer,
): Promise<Verdict> {
  const { request_id: id } = answer
  if (!request) return unknownRequest(id)
  if (request.answer) {
    if (verdict(request.answer) === verdict(answer)) return { request_id: id, replayed: true }
    return wrongState(request, 'This request was answered otherwise before; the first answer stands')
  }
  if (request.state !== 'leased')
    return wrongState(request, `This request is ${request.state}; claim it before you answer`)
  if (answer.outcome === 'refused' && PASSING_REFUSALS.has(answer.code)) {
    await postpone(tx, signer, request.payout_id, answer)
    request.state = 'queued'
    return { request_id: id, replayed: false }
  }
  const audit = insertAudit(tx, {
    merchantId: signer.merchantId,
    actor: `signer:${signer.id}`,
    action: `signing_request.${answer.outcome}`,
    subject: request.payout_id,
    data:
      answer.outcome === 'signed'
        ? { request_id: id, transaction_hash: answer.transaction_hash }
        : { request_id: id, code: answer.code, message: answer.message },
  })
  await tx`
    WITH audit AS (${audit})
    UPDATE signing_requests
    SET state = ${answer.outcome}, answer = ${json(tx, answer)}, answered_at = clock_timestamp(), lease_until = NULL
    WHERE id = ${id}`
  Object.assign(request, { state: answer.outcome, answer })
  // A signer that names the nonce's owner has signed with it before. Allocating it to the next payout would
  // make that one fail too.
  if (answer.outcome === 'refused') {
    await freeNonces(tx, request.payout_id, answer.code === 'NONCE_CONFLICT')
  }
  await notify(tx, 'signing_answer', request.payout_id)
  return { request_id: id, replayed: false }
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
