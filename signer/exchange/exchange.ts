/** Exchanges requests and answers with the platform until the process ends. */

import { z } from 'zod'
import { type ClaimRequest, MAX_ANSWER_BYTES } from '../../domain/signing/signer-protocol.js'
import { type Decision, decideWitnessed } from '../decide.js'
import { compareJournal } from '../journal/compare-journal.js'
import { MAX_JUMP } from '../journal/entry.js'
import type { JournalPosition } from '../journal/journal.js'
import { log } from '../log.js'
import { requestSize } from '../request-size.js'
import { Runs, runOf } from '../runs.js'
import { type SignerState, stopOf } from '../state.js'
import { deliverAnswers } from './deliver-answers.js'
import { backoff, pause } from './pause.js'
import { type PlatformConnection, PlatformUnavailable } from './platform-connection.js'

/** Time that a claim waits for work. It is also the heartbeat. */
const WAIT_SECONDS = 25
/** Time that a claim waits while the signer is stopped, so that it soon sees the end of the stop. */
const STOPPED_WAIT_SECONDS = 1
/** Time for the connection in addition to the wait. */
const CLAIM_MARGIN_MS = 15_000
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
  runs: z.boolean().optional().catch(undefined),
})

/** What the exchange knows of the platform from its last answer to a claim. */
export interface Acquaintance {
  /** Whether it offers runs, and takes several answers together. */
  runs: boolean
}

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
  const platform: Acquaintance = { runs: false }
  while (!options.signal.aborted) {
    try {
      const started = Date.now()
      const served = await serveOnce(options, platform)
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
 * @param platform - Kept from one claim to the next.
 * @returns The number of requests that got an answer.
 */
export async function serveOnce(
  options: Parameters<typeof exchange>[0],
  platform: Acquaintance = { runs: false },
): Promise<number> {
  const before = options.state()
  const stopped = stopOf(before)
  const most = options.waitSeconds ?? WAIT_SECONDS
  const waitSeconds = stopped === null ? most : Math.min(most, STOPPED_WAIT_SECONDS)
  const claim: ClaimRequest = {
    journal_head: before.journal.durable.head,
    journal_sequence: before.journal.durable.sequence,
    wait_seconds: waitSeconds,
    ...(stopped === null ? {} : { stopped }),
    ...(platform.runs ? { runs: true as const } : {}),
  }
  // An older platform refuses the field. If it took the place of a newer one, the next claim goes without.
  platform.runs = false
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
  platform.runs = parsed.data.runs === true
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
  const answered: Promise<number>[] = []
  const runs = new Runs()
  let held = new Map<string, Decision[]>()
  const portions = portionsOf(requests)
  for (const [index, portion] of portions.entries()) {
    // A long list of requests must not keep this process from seeing that it is to stop.
    await nextTurn()
    if (options.signal.aborted) break
    // No answer leaves before the witness has the position on which it rests, so a later rollback of the
    // journal is detected.
    const decisions = await decideWitnessed(portion, state, runs)
    // All answers of a portion name the same position, in every order in which they arrive.
    const { durable } = state.journal
    const groups = groupsOf(portion, decisions, held)
    // The answers of a run leave together, so they wait for its last request.
    const later = new Set(
      portions
        .slice(index + 1)
        .flat()
        .map(runOf),
    )
    held = new Map([...groups].filter(([name]) => later.has(name)))
    const ready = [...groups].flatMap(([name, group]) => (later.has(name) ? [] : [group]))
    answered.push(deliverAnswers(ready, durable, { ...options, together: platform.runs }))
  }
  answered.push(
    deliverAnswers([...held.values()], state.journal.durable, { ...options, together: platform.runs }),
  )
  return (await Promise.all(answered)).reduce((sum, given) => sum + given, 0)
}

/** Groups decisions by their run, behind those that are held of it. Each outside of runs is a group of its own. */
function groupsOf(
  requests: readonly unknown[],
  decisions: readonly Decision[],
  held: ReadonlyMap<string, readonly Decision[]>,
): Map<string, Decision[]> {
  const groups = new Map([...held].map(([name, group]) => [name, [...group]]))
  decisions.forEach((decision, index) => {
    const name = runOf(requests[index]) ?? `alone ${index}`
    groups.set(name, [...(groups.get(name) ?? []), decision])
  })
  return groups
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
