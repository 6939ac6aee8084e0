/** Exchanges requests and answers with the platform until the process ends. */

import { z } from 'zod'
import {
  type ClaimRequest,
  MAX_ANSWER_BYTES,
  type SigningAnswer,
} from '../../domain/signing/signer-protocol.js'
import { type Decision, decideWitnessed } from '../decide.js'
import { compareJournal } from '../journal/compare-journal.js'
import { MAX_JUMP } from '../journal/entry.js'
import type { JournalPosition } from '../journal/journal.js'
import { log } from '../log.js'
import { requestSize } from '../request-size.js'
import { type SignerState, stopOf } from '../state.js'
import { type PlatformConnection, PlatformUnavailable } from './platform-connection.js'

/** Time that a claim waits for work. It is also the heartbeat. */
const WAIT_SECONDS = 25
/** Time that a claim waits while the signer is stopped, so that it soon sees the end of the stop. */
const STOPPED_WAIT_SECONDS = 1
/** Time for the connection in addition to the wait. */
const CLAIM_MARGIN_MS = 15_000
const ANSWER_TIMEOUT_MS = 15_000
const ANSWER_ATTEMPTS = 5
const FIRST_BACKOFF_MS = 250
const MAX_BACKOFF_MS = 15_000
/**
 * Least pause after a claim, so that a platform that answers at once without work is not asked in a tight
 * loop.
 */
const LEAST_PAUSE_MS = 100

/**
 * Size of a portion that is decided and synced at once: as many requests as the platform hands out, and some
 * hundred signatures of inputs at most.
 */
const PORTION_REQUESTS = 32
const PORTION_BYTES = 262_144

const claimResponse = z.object({
  known_journal: z.object({ head: z.string().regex(/^[0-9a-f]{64}$/), sequence: z.int().min(0) }),
  requests: z.array(z.unknown()).max(1_000),
})

/** Reports of the exchange to the process around it. */
export interface ExchangeEvents {
  /** Called when the platform answered. */
  readonly heard: () => void
  /**
   * Called when the journal is not the one that the platform last saw. From then on `state.locked()` must be
   * true.
   */
  readonly lock: (how: 'behind' | 'differs', known: JournalPosition) => void
}

/**
 * Serves the platform until `signal` aborts. Connection errors, and answers that are not the platform's, only
 * delay it.
 *
 * @throws JournalFailure when the journal or its witness cannot be written. The process must end, and be
 * started again.
 */
export async function exchange(options: {
  readonly connection: PlatformConnection
  /** Returns the state. It is read for every portion, so that a changed policy holds at once. */
  readonly state: () => SignerState
  readonly events: ExchangeEvents
  readonly signal: AbortSignal
  readonly waitSeconds?: number
}): Promise<void> {
  let failures = 0
  while (!options.signal.aborted) {
    try {
      const started = Date.now()
      const served = await serveOnce(options)
      failures = 0
      if (served === 0) await pause(LEAST_PAUSE_MS - (Date.now() - started), options.signal)
    } catch (error) {
      if (options.signal.aborted) return
      if (!(error instanceof PlatformUnavailable)) throw error
      failures++
      const wait = backoff(failures)
      log('warn', 'The platform is not there; trying again', { reason: error.message, wait_ms: wait })
      await pause(wait, options.signal)
    }
  }
}

/**
 * Claims once and serves the requests. A stopped signer claims none.
 *
 * @returns The number of requests that got an answer.
 */
export async function serveOnce(options: Parameters<typeof exchange>[0]): Promise<number> {
  const before = options.state()
  const stopped = stopOf(before)
  const most = options.waitSeconds ?? WAIT_SECONDS
  const waitSeconds = stopped === null ? most : Math.min(most, STOPPED_WAIT_SECONDS)
  const claim: ClaimRequest = {
    journal_head: before.journal.durable.head,
    journal_sequence: before.journal.durable.sequence,
    wait_seconds: waitSeconds,
    ...(stopped === null ? {} : { stopped }),
  }
  const answer = await options.connection.post('/signer/v1/claim', claim, {
    timeoutMs: waitSeconds * 1_000 + CLAIM_MARGIN_MS,
    maxBytes: MAX_ANSWER_BYTES,
    signal: options.signal,
  })
  if (answer.status !== 200)
    throw new PlatformUnavailable(`The platform refused the claim with ${answer.status}`)
  const parsed = claimResponse.safeParse(answer.body)
  if (!parsed.success) throw new PlatformUnavailable("The platform's answer to a claim has another form")
  const { known_journal: known, requests } = parsed.data
  const state = options.state()
  // No journal has so many lines. The claim is false, so nothing in the answer counts, and it is not written
  // down.
  if (known.sequence - state.journal.position.sequence > MAX_JUMP) {
    throw new PlatformUnavailable(`The platform claims to know a journal of ${known.sequence} entries`)
  }
  options.events.heard()
  const comparison = compareJournal(known, state.journal)
  if (comparison !== 'agrees') options.events.lock(comparison, known)
  if (requests.length === 0) return 0
  // The signer was stopped while it waited. It gives no answer, so each request is handed out again with its
  // approvals.
  const now = stopOf(state)
  if (now !== null) {
    log('warn', 'Requests were left unanswered: this signer is stopped', {
      stopped: now,
      requests: requests.length,
    })
    return 0
  }
  const answers: Promise<boolean>[] = []
  for (const portion of portionsOf(requests)) {
    // A long list of requests must not keep this process from seeing that it is to stop.
    await nextTurn()
    if (options.signal.aborted) break
    // No answer leaves before the witness has the position on which it rests, so a later rollback of the
    // journal is detected.
    const decisions = await decideWitnessed(portion, state)
    // All answers of a portion name the same position, in every order in which they arrive.
    const { durable } = state.journal
    answers.push(...decisions.map((decision) => answerWith(decision, durable, options)))
  }
  return (await Promise.all(answers)).filter((given) => given).length
}

/** Cuts requests into portions that are decided without a pause. The order stays. */
function portionsOf(requests: readonly unknown[]): unknown[][] {
  const portions: unknown[][] = []
  let bytes = 0
  for (const request of requests) {
    const own = requestSize(request).bytes
    bytes += own
    const last = portions.at(-1)
    if (last && last.length < PORTION_REQUESTS && bytes <= PORTION_BYTES) last.push(request)
    else {
      portions.push([request])
      bytes = own
    }
  }
  return portions
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/**
 * Delivers an answer.
 *
 * @returns False when the request gets no answer (it has no id, was decided before, or the signer is
 * stopped), so that the exchange pauses before it asks for more.
 */
async function answerWith(
  decision: Decision,
  journal: JournalPosition,
  { connection, signal }: Parameters<typeof exchange>[0],
): Promise<boolean> {
  if (decision.requestId === '') {
    noteWithoutId()
    return false
  }
  note(decision)
  if (decision.outcome === 'refused' && (decision.decidedBefore || decision.passing)) return false
  const body = toAnswer(decision, journal)
  for (let attempt = 1; attempt <= ANSWER_ATTEMPTS; attempt++) {
    try {
      const { status } = await connection.post('/signer/v1/answers', body, { timeoutMs: ANSWER_TIMEOUT_MS })
      // The platform has the answer now. It hands out again a request that it still wants.
      if (status >= 300)
        log('warn', 'The platform did not take an answer', { request: decision.requestId, status })
      if (status < 500) return true
    } catch (error) {
      if (!(error instanceof PlatformUnavailable)) throw error
      log('warn', 'An answer could not be delivered', { request: decision.requestId, reason: error.message })
    }
    if (signal.aborted) return true
    await pause(backoff(attempt), signal)
  }
  return true
}

let hasNotedWithoutId = false

/** Logs a request without an id once. It cannot be answered, so it comes again with each claim. */
function noteWithoutId(): void {
  if (hasNotedWithoutId) return
  hasNotedWithoutId = true
  log('error', 'A request without an id was refused; further ones are not logged')
}

function toAnswer(decision: Decision, journal: JournalPosition): SigningAnswer {
  const position = { journal_head: journal.head, journal_sequence: journal.sequence }
  return decision.outcome === 'signed'
    ? {
        request_id: decision.requestId,
        outcome: 'signed',
        signed_transaction: decision.signedTransaction,
        transaction_hash: decision.transactionHash,
        ...position,
      }
    : {
        request_id: decision.requestId,
        outcome: 'refused',
        code: decision.code,
        message: decision.message,
        ...position,
      }
}

function note(decision: Decision): void {
  if (decision.outcome === 'signed') {
    log('info', 'Signed', { request: decision.requestId, transaction_hash: decision.transactionHash })
  } else {
    log('warn', 'Refused', { request: decision.requestId, code: decision.code, reason: decision.message })
  }
}

function backoff(failures: number): number {
  const wait = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(failures - 1, 10))
  return Math.round(wait * (0.5 + Math.random() / 2))
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (milliseconds <= 0 || signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const timer = setTimeout(done, milliseconds)
    signal.addEventListener('abort', done, { once: true })
    function done() {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
  })
}
