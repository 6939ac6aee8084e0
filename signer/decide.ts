/** Decides on requests: check, write the decision down, sync, and only then sign. */

import type { RefusalCode } from '../domain/signing/signer-protocol.js'
import { ALL_CHECKS, type CheckList } from './checks/all-checks.js'
import { byFamily } from './checks/by-family.js'
import { type PayloadContext, refuse } from './checks/check.js'
import { conflictSet } from './checks/conflict-set.js'
import { cost } from './checks/cost.js'
import { type Examination, examine } from './examine.js'
import { type Helpers, noHelpers, ownHelpers } from './helpers/helpers.js'
import { intentAmount } from './intent-amount.js'
import { assetKey } from './journal/account-name.js'
import { JournalFailure } from './journal/journal-failure.js'
import { parseRequest, type RequestReading } from './parse-request.js'
import { Runs, runOf } from './runs.js'
import { type Accepted, OFFERED, type Signed, signAll, signedOnce } from './sign-accepted.js'
import type { SignerState } from './state.js'

/** Final decision on a request. */
export type Decision =
  | {
      readonly outcome: 'signed'
      readonly requestId: string
      /** Lower-case hex, without 0x on UTXO networks and with 0x on EVM networks. */
      readonly signedTransaction: string
      readonly transactionHash: string
    }
  | {
      readonly outcome: 'refused'
      readonly requestId: string
      readonly code: RefusalCode
      readonly message: string
      /**
       * Whether this payload was decided before and may have been signed. The platform must not conclude that
       * it never will be, because it would give its nonce and coins to another payout.
       */
      readonly decidedBefore: boolean
      /**
       * Present when the signer as a whole is stopped. The request gets no answer and is handed out again.
       */
      readonly passing?: true
    }
  | {
      /** A request before it in its run was refused. Nothing was decided, and the platform gets it back. */
      readonly outcome: 'undecided'
      readonly requestId: string
      readonly run: string
    }

/** Decision on a request that is decided alone. */
type SingleDecision = Exclude<Decision, { outcome: 'undecided' }>

/** Decides on one request as `decideAll` does. @param request - As the platform sent it. */
export function decide(request: unknown, state: SignerState): SingleDecision {
  const [decision] = decideAll([request], state)
  if (!decision || decision.outcome === 'undecided') throw new Error('One request has one decision')
  return decision
}

/**
 * Decides on requests in order; each decision knows the previous ones. A run ends at its first refusal. All
 * decisions are written and synced once before the first key is used. A crash after the sync finds them in the
 * journal, and the same request gets the same bytes. A crash before it has signed nothing.
 *
 * @param checks - `ALL_CHECKS`; see `examine`.
 * @throws JournalFailure when the journal cannot be written. The process must then end.
 */
export function decideAll(requests: readonly unknown[], state: SignerState, checks = ALL_CHECKS): Decision[] {
  const runs = new Runs()
  const asked = requests.map((request) => ({ reading: parseRequest(request), run: runOf(request) }))
  return signAccepted(writeDecisions(asked, state, checks, runs), state, runs, noHelpers)
}

/**
 * Decides on requests as `decideAll` does, with the help of other threads: they verify approvals while
 * requests are parsed and examined, and read signed transactions back and sync the witness while keys are
 * used. When it returns, the witness has the journal's position, so the answers may leave the signer.
 *
 * @param requests - As the platform sent them.
 * @param runs - The runs of the claim, which may have begun before these requests.
 * @throws JournalFailure when the journal or its witness cannot be written. The process must then end.
 */
export async function decideWitnessed(
  requests: readonly unknown[],
  state: SignerState,
  runs = new Runs(),
  helpers = ownHelpers,
): Promise<Decision[]> {
  const asked = readAll(requests, state, helpers)
  const examined = writeDecisions(asked, state, ALL_CHECKS, runs)
  state.approvals.forget()
  helpers.end()
  const witnessed = state.witness.write(state.journal.durable)
  const [decisions] = await Promise.all([
    inTurn(() => signAccepted(examined, state, runs, helpers)),
    witnessed,
  ])
  return decisions
}

/** Parses requests, and offers the approvals of some of them while it parses the next. */
function readAll(requests: readonly unknown[], state: SignerState, helpers: Helpers): Asked[] {
  const asked: Asked[] = []
  for (let from = 0; from < requests.length; from += OFFERED) {
    const some = requests.slice(from, from + OFFERED)
    const readings = some.map(parseRequest)
    asked.push(...readings.map((reading, index) => ({ reading, run: runOf(some[index]) })))
    const parsed = readings.flatMap((reading) => ('request' in reading ? [reading.request] : []))
    if (state.policy) state.approvals.prefetch(parsed, state.policy, helpers)
  }
  return asked
}

/** Runs a function as a promise, so that its error is awaited beside those of others. */
async function inTurn<T>(use: () => T): Promise<T> {
  return use()
}

/** A request of a claim, with the run that it is part of. */
interface Asked {
  readonly reading: RequestReading
  readonly run: string | null
}

interface Examined {
  /** `null` when nothing was decided, because the run ended before it. */
  readonly examination: Examination | null
  readonly requestId: string
  readonly run: string | null
}

/**
 * Examines each request with knowledge of the previous ones, and returns when every new decision is durable.
 */
function writeDecisions(
  asked: readonly Asked[],
  state: SignerState,
  checks: CheckList,
  runs: Runs,
): Examined[] {
  const examined = asked.map(({ reading, run }) => {
    const isAdmitted = run === null || runs.admits(run, reading)
    const examination = settle(examine(checks, reading, state), isAdmitted, state)
    if (run !== null && examination?.outcome === 'refused') runs.stop(run)
    return { examination, requestId: reading.requestId, run }
  })
  if (state.journal.position.sequence !== state.journal.durable.sequence) state.journal.sync()
  return examined
}

/**
 * Writes a new decision down.
 *
 * @returns `null` for a new decision that its run does not admit. What was decided before gets its answer at
 * every place of a run, and a signer that is stopped answers nothing.
 */
function settle(examination: Examination, isAdmitted: boolean, state: SignerState): Examination | null {
  if (examination.replay) return examination
  if (examination.outcome === 'refused' && examination.refusal.passing) return examination
  if (!isAdmitted) return null
  return examination.outcome === 'accepted' ? writtenDown(examination, state) : examination
}

/**
 * Signs what was accepted. When one of a run cannot be signed, those above it are kept back: they are in the
 * journal, and get their bytes when they are claimed again.
 */
function signAccepted(
  examined: readonly Examined[],
  state: SignerState,
  runs: Runs,
  helpers: Helpers,
): Decision[] {
  const signed = signAll(examined, state, helpers)
  const failed = new Set<string>()
  const decisions = examined.map(({ examination, requestId, run }): Decision => {
    if (run === null) {
      if (examination === null) throw new Error('Only a run ends before a request')
      return conclude(examination, signed, state)
    }
    if (examination === null) return { outcome: 'undecided', requestId, run }
    if (failed.has(run) && examination.outcome === 'accepted')
      return unsigned(requestId, 'A request before it in its run could not be signed')
    const decision = conclude(examination, signed, state)
    if (examination.outcome === 'accepted' && decision.outcome === 'refused') {
      failed.add(run)
      runs.stop(run)
    }
    return decision
  })
  helpers.end()
  return decisions
}

/**
 * Writes a decision down. A decision that cannot be written so that it is read again is refused, and nothing
 * is signed.
 */
function writtenDown(accepted: Accepted, state: SignerState): Examination {
  try {
    writeDown(accepted, state)
    return accepted
  } catch (error) {
    if (error instanceof JournalFailure) throw error
    const { requestId } = accepted
    const refusal = refuse('MALFORMED', 'The journal cannot hold what this request says')
    return { outcome: 'refused', requestId, refusal, replay: false }
  }
}

function writeDown({ context, payloadHash }: Accepted, state: SignerState): void {
  const { request } = context
  state.journal.append({
    type: 'decided',
    request: request.id,
    attempt: request.attempt,
    purpose: request.purpose,
    intent: request.intent.withdrawal,
    intent_hash: context.intentHash,
    kind: request.intent.kind,
    ...(request.items === null ? {} : { items: request.items }),
    payload_hash: payloadHash,
    conflict: conflictSet(context),
    ...changeIndexOf(context),
    asset: assetKey(context.network, context.asset),
    amount: request.purpose === 'cancel' ? '0' : intentAmount(context).toString(),
    fee: cost(context).toString(),
    policy_hash: context.policy.hash,
  })
}

/** Returns the index of the change, which bounds the index of the next change. */
function changeIndexOf(context: PayloadContext): { change_index?: number } {
  const index = byFamily(context, { utxo: ({ utxo }) => utxo.extra[0]?.path?.at(-1), evm: () => undefined })
  return index === undefined ? {} : { change_index: index }
}

function conclude(
  examination: Examination,
  signed: ReadonlyMap<Examination, Signed>,
  state: SignerState,
): SingleDecision {
  const { requestId } = examination
  if (examination.outcome === 'refused') {
    const { refusal, replay } = examination
    return { outcome: 'refused', requestId, ...refusal, decidedBefore: replay }
  }
  try {
    const { raw, hash } = signedOnce(examination, signed.get(examination), state)
    return { outcome: 'signed', requestId, signedTransaction: raw, transactionHash: hash }
  } catch (error) {
    if (error instanceof JournalFailure) throw error
    // Nothing left the signer. The decision stays in the journal, and the same request tries again.
    return unsigned(requestId, error instanceof Error ? error.message : 'Signing failed')
  }
}

/** Returns the decision on a request that is in the journal and has no bytes yet. It gets no answer. */
function unsigned(requestId: string, message: string): SingleDecision {
  return { outcome: 'refused', requestId, ...refuse('MALFORMED', message), decidedBefore: true }
}
