/** One withdrawal, from the request to the settled books. The row is the truth; this process waits, takes the steps and shows them. */

import {
  ActivityFailure,
  CancelledFailure,
  condition,
  continueAsNew,
  defineSignal,
  getExternalWorkflowHandle,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow'
import type { WithdrawalActivities, WithdrawalSnapshot } from '../activities/payouts/withdrawal.js'
import type { WithdrawalChainActivities } from '../activities/payouts/withdrawal-chain.js'
import { assertNever } from '../domain/assert-never.js'
import { type Approval, FOUR_EYES, type Requirement, tallyApprovals } from '../domain/controls/approval.js'
import { priorityKey } from '../domain/payouts/queue-order.js'
import { isWithdrawalFinal, type WithdrawalStage } from '../domain/payouts/withdrawal-stage.js'
import { batchId } from '../temporal/ids.js'
import type { WithdrawalInput } from '../temporal/inputs.js'
import { SEARCH_ATTRIBUTE } from '../temporal/search-attributes.js'
import { TASK_QUEUE } from '../temporal/task-queues.js'
import { partMoved } from './batch.js'

/** A person's decision, as the API stored it; counted here, checked again against the stored rows. */
export const decide = defineSignal<[Approval]>('decide')
/** The row was cancelled: stop waiting. */
export const cancel = defineSignal<[{ by: string }]>('cancel')
/** The signer has answered: stop waiting. */
export const answered = defineSignal('answered')
/** A person reviewed it: stop waiting. */
const reviewed = defineSignal<[{ by: string }]>('reviewed')
/** A dearer or a cancelling attempt was asked for: stop waiting. */
const replace = defineSignal<[{ by: string }]>('replace')
/** Something of the row changed, or an operator wants it tried at once: stop waiting. */
const woken = defineSignal('wake')
/** From the watcher: our transaction is deep enough, or its block left the chain. */
const heightReached = defineSignal('heightReached')
const reorged = defineSignal('reorged')

export interface WithdrawalResult {
  readonly stage: WithdrawalStage
  readonly transactionHash: string | null
}

const SECOND = 1_000
const MINUTE = 60 * SECOND
/** What was built at the fees of so long ago, and nobody claimed, is built anew. */
const STALE_BUILD_MS = 15 * MINUTE
const BACKOFF = { first: 2 * SECOND, most: 5 * MINUTE } as const
/** A signer that is away may be so for days; its answer is signalled, and swept for when that signal was lost. */
const SIGNER_AWAY_MS = 15 * MINUTE
/** Blocks come late, and the watcher's signal comes first: the timers are the safety net behind it. */
const PATIENCE = 2
const LONGEST_LOOK_MS = 10 * MINUTE

// No step is ever given up: what cannot be done now is tried again until it can.
const core = proxyLocalActivities<WithdrawalActivities>({
  startToCloseTimeout: '10s',
  localRetryThreshold: '10s',
  retry: { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '1m' },
})
const retry = { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m' } as const
/**
 * What is not signed yet expires, also while no worker takes its step or the step fails without an end: after so long the workflow
 * itself looks again.
 */
const LONGEST_STEP_MS = 5 * MINUTE
const chain = (summary: string, { priority, closeMs }: { priority?: number; closeMs?: number } = {}) =>
  proxyActivities<WithdrawalChainActivities>({
    taskQueue: TASK_QUEUE.chain,
    startToCloseTimeout: '1m',
    retry,
    summary,
    ...(closeMs === undefined ? {} : { scheduleToCloseTimeout: closeMs }),
    ...(priority === undefined ? {} : { priority: { priorityKey: priority } }),
  })
const signer = (closeMs: number) =>
  proxyActivities<WithdrawalChainActivities>({
    taskQueue: TASK_QUEUE.chain,
    startToCloseTimeout: '2m',
    scheduleToCloseTimeout: closeMs,
    heartbeatTimeout: '15s',
    retry,
    summary: "Waits for the customer's signer",
  })

interface Course {
  readonly input: WithdrawalInput
  readonly approvals: Approval[]
  /** How many of them the last tally saw. */
  counted: number
  /** Counts signals: a wait ends when one came since the row was read. */
  signals: number
  /** How often the present stage had to wait. */
  waits: number
  shown: WithdrawalStage | null
  /** The batch of a part was told that it is sent. */
  sent: boolean
  /** Since when, in milliseconds of this workflow's clock. */
  shownAt: number
}

/** Takes one withdrawal to its end. Whatever stage the row is in, it goes on from there. */
export async function withdrawal(input: WithdrawalInput): Promise<WithdrawalResult> {
  const course: Course = {
    input,
    approvals: [],
    counted: 0,
    signals: 0,
    waits: 0,
    shown: null,
    sent: false,
    shownAt: 0,
  }
  const wake = () => {
    course.signals++
  }
  setHandler(decide, (approval) => {
    if (isApproval(approval)) course.approvals.push(approval)
    course.signals++
  })
  setHandler(cancel, wake)
  setHandler(answered, wake)
  setHandler(reviewed, wake)
  setHandler(replace, wake)
  setHandler(woken, wake)
  setHandler(heightReached, wake)
  setHandler(reorged, wake)

  for (;;) {
    const seen = course.signals
    const row = await core.readWithdrawal(input.id, input.network)
    recall(course, row.approvals ?? [])
    if (row.stage !== course.shown) {
      upsertSearchAttributes([{ key: SEARCH_ATTRIBUTE.stage, value: row.stage }])
      course.shown = row.stage
      course.shownAt = Date.now()
      course.counted = 0
      // Building anew for a signer that is away is no news: its waits stay long.
      if (row.stage !== 'building' && row.stage !== 'pending_signature') course.waits = 0
    }
    if (isWithdrawalFinal(row.stage)) {
      show(course, end(row))
      await tellBatch(input)
      return { stage: row.stage, transactionHash: row.transactionHash }
    }
    if (row.stage === 'confirming' && !course.sent) {
      course.sent = true
      await tellBatch(input)
    }
    // Decisions live in signals, so not while they are counted; everything later is in the row.
    if (
      workflowInfo().continueAsNewSuggested &&
      row.stage !== 'pending_review' &&
      row.stage !== 'pending_approval'
    ) {
      await continueAsNew<typeof withdrawal>(input)
    }
    await step(course, row, seen)
  }
}

/** A part of a batch makes room for the next one. The batch looks by itself now and then, so a lost signal does no harm. */
async function tellBatch({ batchId: id }: WithdrawalInput): Promise<void> {
  if (id === undefined) return
  try {
    await getExternalWorkflowHandle(batchId(id)).signal(partMoved)
  } catch {
    // It has ended already, or was never started.
  }
}

/** What was stored counts as if it had been signalled: a run that follows another one, or a lost signal, forgets no decision. */
function recall({ approvals }: Course, stored: readonly Approval[]): void {
  for (const each of stored) {
    const known = approvals.some(
      ({ person_id, signature }) => person_id === each.person_id && signature === each.signature,
    )
    if (!known) approvals.push(each)
  }
}

/** Anybody who reaches Temporal can send a signal: what is no decision is not counted. */
function isApproval(value: unknown): value is Approval {
  if (typeof value !== 'object' || value === null) return false
  const { person_id, intent_hash, decision } = value as Partial<Approval>
  const texts = typeof person_id === 'string' && typeof intent_hash === 'string'
  return texts && (decision === 'approve' || decision === 'reject')
}

async function step(course: Course, row: WithdrawalSnapshot, seen: number): Promise<void> {
  switch (row.stage) {
    case 'requested':
      // Absent in histories of before there was a service to ask.
      return row.unscreened ? screen(course, seen) : core.admitWithdrawal(course.input.id)
    case 'pending_review':
      return awaitReview(course, row, seen)
    case 'pending_approval':
      return awaitDecision(course, row, seen)
    case 'approved':
    case 'building':
      return build(course, row, seen)
    case 'pending_signature':
      return sign(course, seen)
    case 'signed':
    case 'broadcasting':
      return broadcast(course, row, seen)
    case 'confirming':
      return confirm(course, row, seen)
    case 'confirmed':
    case 'rejected':
    case 'expired':
    case 'cancelled':
    case 'failed':
    case 'reverted':
      return
    default:
      assertNever(row.stage)
  }
}

async function screen(course: Course, seen: number): Promise<void> {
  const { input } = course
  if (isOver(input)) return core.expireWithdrawal(input.id)
  show(course, 'Asking the screening service about the destination')
  const asks = chain('Asks the screening service about the destination', { closeMs: closeMs(input) })
  const screened = await orWaitForWorkers(course, seen, asks.screenWithdrawal(input.id))
  if (screened?.kind === 'waiting') {
    await waitBeforeRetry(course, seen, screened.message, Math.min(BACKOFF.most, untilExpiry(input)))
  }
}

async function awaitReview(course: Course, row: WithdrawalSnapshot, seen: number): Promise<void> {
  const { input, approvals } = course
  const intent = { hash: input.intentHash, initiators: [input.initiator] }
  if (tallyApprovals(approvals, intent) === 'rejected' && approvals.length > course.counted) {
    course.counted = approvals.length
    return core.decideWithdrawal(input.id)
  }
  if (isOver(input)) return core.expireWithdrawal(input.id)
  const text = `Waiting for a manual review, because ${row.reviewReason}; expires ${minute(input.expiresAt)}`
  show(course, text)
  // The review is in the row: should its signal be lost, a look now and then finds it.
  await sleepUntilSignal(course, seen, Math.min(LONGEST_LOOK_MS, untilExpiry(input)), text)
}

async function awaitDecision(course: Course, row: WithdrawalSnapshot, seen: number): Promise<void> {
  const { input, approvals } = course
  // Absent in histories of before there were others.
  const requirement = row.approvalRequirement ?? FOUR_EYES
  const intent = { hash: input.intentHash, initiators: [input.initiator] }
  const tally = tallyApprovals(approvals, intent, requirement)
  if (tally !== 'waiting' && approvals.length > course.counted) {
    // The stored rows have the last word; where they disagree, only a further decision changes anything.
    course.counted = approvals.length
    return core.decideWithdrawal(input.id)
  }
  if (isOver(input)) return core.expireWithdrawal(input.id)
  const missing = Math.max(1, requirement.count - countApprovals(course, requirement))
  const text = `Waiting for ${missing} more ${missing === 1 ? 'approval' : 'approvals'} of ${requirement.count}; expires ${minute(input.expiresAt)}`
  show(course, text)
  await sleepUntilSignal(course, seen, untilExpiry(input), text)
}

async function build(course: Course, row: WithdrawalSnapshot, seen: number): Promise<void> {
  const { input } = course
  if (isOver(input)) return core.expireWithdrawal(input.id)
  show(course, 'Building the transaction')
  // Where workers have more to do than slots, urgency and age say who is built first. Absent in older histories.
  const urgency = row.priority && priorityKey(row.priority, Date.now() - Date.parse(row.createdAt))
  const builds = chain('Builds the transaction', {
    closeMs: closeMs(input),
    ...(urgency === undefined ? {} : { priority: urgency }),
  })
  const built = await orWaitForWorkers(course, seen, builds.buildWithdrawal(input.id))
  if (built?.kind === 'waiting') {
    await waitBeforeRetry(course, seen, built.message, Math.min(BACKOFF.most, untilExpiry(input)))
  }
}

async function sign(course: Course, seen: number): Promise<void> {
  const { input } = course
  show(course, "Waiting for the customer's signer")
  const answer = await orWaitForWorkers(
    course,
    seen,
    signer(isOver(input) ? LONGEST_STEP_MS : closeMs(input)).awaitSignature(input.id),
  )
  // No worker could look. A request that a signer holds does not expire by this.
  if (answer === null) return isOver(input) ? core.expireWithdrawal(input.id) : undefined
  if (answer.kind === 'gone') return
  if (answer.kind === 'answered') return chain("Checks the signer's answer").takeAnswer(input.id)
  const over = isOver(input)
  if (over && answer.queued) return core.expireWithdrawal(input.id)
  if (answer.queued && Date.now() - course.shownAt > STALE_BUILD_MS) {
    return core.rebuildWithdrawal(input.id)
  }
  const most = answer.online && !over ? BACKOFF.most : SIGNER_AWAY_MS
  if (over) {
    const text = `${answer.message}; its time is over, but only the signer can say that it signed nothing`
    return waitBeforeRetry(course, seen, text, most)
  }
  await waitBeforeRetry(course, seen, answer.message, Math.min(most, untilExpiry(input)))
}

async function broadcast(course: Course, row: WithdrawalSnapshot, seen: number): Promise<void> {
  const { input } = course
  show(course, `Broadcasting ${row.transactionHash ?? ''}`)
  const sent = await chain('Sends the signed bytes').broadcastWithdrawal(input.id)
  if (sent.kind === 'lost') return core.loseWithdrawal(input.id, { code: sent.code, message: sent.message })
  if (sent.kind === 'waiting') await waitBeforeRetry(course, seen, sent.message, row.rebroadcastMs)
}

async function confirm(course: Course, row: WithdrawalSnapshot, seen: number): Promise<void> {
  const { input } = course
  const transaction = row.transactionHash ?? ''
  const look = course.waits++
  if (look === 0) {
    // Nothing is mined a moment after it was sent; the watcher tells when it is deep enough.
    return waitToLook(course, seen, row.rebroadcastMs, `${transaction} is sent and waits for a block`)
  }
  const found = await chain('Looks for the transaction on the chain').followWithdrawal(input.id)
  switch (found.kind) {
    case 'final':
      return core.settleWithdrawal(input.id, found.outcome)
    case 'lost':
      return core.loseWithdrawal(input.id, { code: found.code, message: found.message })
    case 'gone':
      return
    case 'mined': {
      const expected = (row.requiredConfirmations - found.confirmations) * row.blockTimeMs * PATIENCE
      const text = `${transaction} is in block ${found.blockNumber}: ${found.confirmations} of ${row.requiredConfirmations} confirmations`
      return waitToLook(course, seen, Math.max(row.rebroadcastMs, expected), text)
    }
    case 'unmined':
    case 'waiting': {
      const text = found.kind === 'waiting' ? found.message : `${transaction} waits for a block`
      const patience = row.rebroadcastMs * 1.5 ** Math.min(look, 20)
      return waitToLook(course, seen, Math.min(patience, found.lagsInMs ?? patience), text)
    }
    default:
      assertNever(found)
  }
}

/** How long a step may be tried before the workflow looks at the expiry again. */
function closeMs(input: WithdrawalInput): number {
  return Math.max(SECOND, Math.min(LONGEST_STEP_MS, untilExpiry(input)))
}

/** What a step returns; null, after a pause, when no worker took it or none came to an end with it. */
async function orWaitForWorkers<T>(course: Course, seen: number, step: Promise<T>): Promise<T | null> {
  try {
    return await step
  } catch (error) {
    if (!(error instanceof ActivityFailure) || error.cause instanceof CancelledFailure) throw error
    const text = 'No worker of the queue "chain" takes this step, or it fails each time; it is tried again'
    await waitBeforeRetry(course, seen, text, Math.min(BACKOFF.most, untilExpiry(course.input)))
    return null
  }
}

async function waitToLook(course: Course, seen: number, ms: number, text: string): Promise<void> {
  show(course, text)
  await sleepUntilSignal(course, seen, Math.min(ms, LONGEST_LOOK_MS), text)
}

/** Each wait is twice as long as the one before, up to `most` milliseconds; a signal ends it. */
async function waitBeforeRetry(course: Course, seen: number, text: string, most: number): Promise<void> {
  show(course, text)
  const ms = Math.min(BACKOFF.first * 2 ** Math.min(course.waits++, 20), Math.max(most, SECOND))
  await sleepUntilSignal(course, seen, ms, text)
}

/** `seen`: the count of signals before the row was read, so that one that came since is not slept over. */
async function sleepUntilSignal(course: Course, seen: number, ms: number, text: string): Promise<void> {
  await condition(() => course.signals !== seen, Math.max(1, Math.ceil(ms)), { summary: text.slice(0, 200) })
}

function countApprovals({ approvals, input }: Course, { signers }: Requirement): number {
  const persons = new Set<string>()
  for (const approval of approvals) {
    const asked = signers.length === 0 || signers.some((signer) => signer.id === approval.approver_id)
    const counts =
      asked && approval.intent_hash === input.intentHash && approval.person_id !== input.initiator
    if (counts && approval.decision === 'approve') persons.add(approval.person_id)
  }
  return persons.size
}

function isOver(input: WithdrawalInput): boolean {
  return untilExpiry(input) <= 0
}

function untilExpiry(input: WithdrawalInput): number {
  return Date.parse(input.expiresAt) - Date.now()
}

function minute(iso: string): string {
  return `${iso.slice(0, 16).replace('T', ' ')} UTC`
}

function show({ input }: Course, text: string): void {
  setCurrentDetails(`**${input.title}** on ${input.network}\n\n${text}`)
}

function end(row: WithdrawalSnapshot): string {
  const hash = row.transactionHash ? `: ${row.transactionHash}` : ''
  return row.stage === 'confirmed' ? `Confirmed${hash}` : `${row.stage}: ${row.failure ?? 'by request'}`
}
