/** Delivers answers to the platform, each at least once. */

import { z } from 'zod'
import {
  type GivenBack,
  MOST_ANSWERS,
  type PlainAnswer,
  type SigningAnswer,
  type SigningAnswers,
} from '../../domain/signing/signer-protocol.js'
import type { Decision } from '../decide.js'
import type { JournalPosition } from '../journal/journal.js'
import { log } from '../log.js'
import { backoff, pause } from './pause.js'
import { type PlatformConnection, PlatformUnavailable } from './platform-connection.js'

const ANSWER_TIMEOUT_MS = 15_000
const ANSWER_ATTEMPTS = 5
/** Most bytes of answers that are posted together. A platform may refuse bodies above a megabyte. */
const TOGETHER_BYTES = 262_144

const PATH = '/signer/v1/answers'
const verdicts = z.object({
  answers: z.array(z.object({ request_id: z.string(), error: z.object({ code: z.string() }).optional() })),
})

/** Decisions that are delivered together, or not at all: those of a run, or one that is in no run. */
export type AnswerGroup = readonly Decision[]

interface Delivery {
  readonly connection: PlatformConnection
  readonly signal: AbortSignal
  /** Whether the platform takes several answers in one request, and requests that are given back. */
  readonly together: boolean
}

/**
 * Delivers the answers. A request gets none when it has no id, when its payload was decided before and is
 * refused now, or when the signer is stopped.
 *
 * @param journal - Position on which the answers rest. The witness has it.
 * @returns The number of requests that got an answer. One that was given back has none.
 */
export async function deliverAnswers(
  groups: readonly AnswerGroup[],
  journal: JournalPosition,
  delivery: Delivery,
): Promise<number> {
  const answers = groups.map((group) => group.flatMap((decision) => toAnswer(decision) ?? []))
  const given = answers.flat().filter(isDecided).length
  if (!delivery.together) {
    await postApart(answers.flat(), journal, delivery)
    return given
  }
  await Promise.all(pack(answers).map((together) => postTogether(together, journal, delivery)))
  return given
}

type Answer = PlainAnswer | GivenBack

function isDecided(answer: Answer): answer is PlainAnswer {
  return answer.outcome !== 'undecided'
}

function toAnswer(decision: Decision): Answer | null {
  if (decision.requestId === '') {
    noteWithoutId()
    return null
  }
  note(decision)
  const { requestId: request_id, outcome } = decision
  switch (outcome) {
    case 'signed': {
      const { signedTransaction: signed_transaction, transactionHash: transaction_hash } = decision
      return { request_id, outcome, signed_transaction, transaction_hash }
    }
    case 'refused':
      if (decision.decidedBefore || decision.passing) return null
      return { request_id, outcome, code: decision.code, message: decision.message }
    case 'undecided':
      return { request_id, outcome, run: decision.run }
  }
}

/** Packs groups into bodies, of which each is small enough for the platform. A group stays whole. */
function pack(groups: readonly (readonly Answer[])[]): Answer[][] {
  const bodies: Answer[][] = []
  let bytes = 0
  for (const group of groups) {
    if (group.length === 0) continue
    const own = JSON.stringify(group).length
    bytes += own
    const last = bodies.at(-1)
    if (last && last.length + group.length <= MOST_ANSWERS && bytes <= TOGETHER_BYTES) last.push(...group)
    else {
      bodies.push([...group])
      bytes = own
    }
  }
  return bodies
}

/** Posts answers in one request. A platform that does not take that gets each answer alone. */
async function postTogether(
  answers: readonly Answer[],
  journal: JournalPosition,
  delivery: Delivery,
): Promise<void> {
  const body: SigningAnswers = { answers, ...positionOf(journal) }
  const posted = await post(body, `${answers.length} answers`, delivery)
  if (posted === null) return
  if (posted.status >= 300) return postApart(answers, journal, delivery)
  const parsed = verdicts.safeParse(posted.body)
  for (const { request_id: request, error } of parsed.data?.answers ?? []) {
    if (error) log('warn', 'The platform did not take an answer', { request, code: error.code })
  }
}

/** Posts each answer in a request of its own. Requests that nothing was decided about are left unanswered. */
async function postApart(
  answers: readonly Answer[],
  journal: JournalPosition,
  delivery: Delivery,
): Promise<void> {
  await Promise.all(
    answers.filter(isDecided).map(async (answer) => {
      const body: SigningAnswer = { ...answer, ...positionOf(journal) }
      const posted = await post(body, answer.request_id, delivery)
      // The platform has the answer now. It hands out again a request that it still wants.
      if (posted && posted.status >= 300) {
        log('warn', 'The platform did not take an answer', {
          request: answer.request_id,
          status: posted.status,
        })
      }
    }),
  )
}

/** Posts a body until the platform takes it or refuses it. @returns `null` when it did neither in time. */
async function post(body: unknown, request: string, { connection, signal }: Delivery) {
  for (let attempt = 1; attempt <= ANSWER_ATTEMPTS; attempt++) {
    try {
      const answer = await connection.post(PATH, body, { timeoutMs: ANSWER_TIMEOUT_MS })
      if (answer.status < 500) return answer
      log('warn', 'The platform did not take an answer', { request, status: answer.status })
    } catch (error) {
      if (!(error instanceof PlatformUnavailable)) throw error
      log('warn', 'An answer could not be delivered', { request, reason: error.message })
    }
    if (signal.aborted) return null
    await pause(backoff(attempt), signal)
  }
  return null
}

function positionOf({ head, sequence }: JournalPosition) {
  return { journal_head: head, journal_sequence: sequence }
}

let hasNotedWithoutId = false

/** Logs a request without an id once. It cannot be answered, so it comes again with each claim. */
function noteWithoutId(): void {
  if (hasNotedWithoutId) return
  hasNotedWithoutId = true
  log('error', 'A request without an id was refused; further ones are not logged')
}

function note(decision: Decision): void {
  const { requestId: request } = decision
  switch (decision.outcome) {
    case 'signed':
      log('info', 'Signed', { request, transaction_hash: decision.transactionHash })
      break
    case 'refused':
      log('warn', 'Refused', { request, code: decision.code, reason: decision.message })
      break
    case 'undecided':
      log('info', 'Given back undecided, because its run ended before it', { request, run: decision.run })
      break
  }
}
