/**
 * One payout, from its request to the settled books. The row is the truth; this process waits, takes the
 * steps and shows them.
 */

import {
  continueAsNew,
  defineSignal,
  getExternalWorkflowHandle,
  patched,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow'
import type { WithdrawalSnapshot } from '../activities/payouts/withdrawal.js'
import { assertNever } from '../domain/assert-never.js'
import { priorityKey } from '../domain/payouts/queue-order.js'
import { isWithdrawalFinal, type WithdrawalStage } from '../domain/payouts/withdrawal-stage.js'
import { batchId } from '../temporal/ids.js'
import type { WithdrawalInput } from '../temporal/inputs.js'
import { SEARCH_ATTRIBUTE } from '../temporal/search-attributes.js'
import { partMoved } from './batch.js'
import { describeApprovals, toMinute } from './describe-approvals.js'
import { chain, core } from './withdrawal-activities.js'
import { createBeforeAdvance } from './withdrawal-before-advance.js'
import { type Course, createCourse, LONGEST_STEP_MS } from './withdrawal-course.js'

/** A decision was stored. Only the stored rows are counted. */
const decide = defineSignal<[unknown]>('decide')
/** Signals that only end a wait, because what they report is in the row. */
const WAKING = [
  // A person cancelled the withdrawal.
  'cancel',
  // The signer answered.
  'answered',
  // A person reviewed it.
  'reviewed',
  // A person requested a higher-fee or a cancelling attempt.
  'replace',
  // The row changed in another way, or an operator wants the step to be retried at once.
  'wake',
  // The watcher saw that the transaction is deep enough, or that its block left the chain.
  'heightReached',
  'reorged',
].map((name) => defineSignal(name))

export interface WithdrawalResult {
  readonly stage: WithdrawalStage
  readonly transactionHash: string | null
}

const MINUTE = 60_000
/** Age at which a request that no signer has claimed is built again, with the fees of that time. */
const STALE_BUILD_MS = 15 * MINUTE
/**
 * Longest wait for a signer that is offline, perhaps for days. Its answer is signalled, and the sweeper finds
 * it if the signal is lost.
 */
const SIGNER_OFFLINE_MS = 15 * MINUTE
/**
 * Timers wait so many times the expected time. They are the safety net: blocks come late, and the watcher's
 * signal comes first.
 */
const PATIENCE = 2

/** Takes one payout to its end. It goes on from whichever stage the row is in. */
export async function withdrawal(input: WithdrawalInput): Promise<WithdrawalResult> {
  const { id, network } = input
  const course = createCourse(input)
  // A part of a batch is approved before it starts.
  let undecided = input.batchId === undefined
  const before = undecided && !patched('advance-withdrawal') ? createBeforeAdvance(course) : null
  setHandler(decide, (signalled) => {
    before?.decided(signalled)
    course.wake()
  })
  for (const signal of WAKING) setHandler(signal, course.wake)
  let shown: WithdrawalStage | null = null
  let shownAt = 0
  let sent = false

  for (;;) {
    course.begin()
    const row =
      undecided && !before
        ? await core.advanceWithdrawal(id, network, new Date().toISOString())
        : await core.readWithdrawal(id, network)
    before?.recall(row)
    undecided = isUndecided(row.stage)
    if (row.stage !== shown) {
      upsertSearchAttributes([{ key: SEARCH_ATTRIBUTE.stage, value: row.stage }])
      shown = row.stage
      shownAt = Date.now()
      before?.stageChanged()
      // Building again while the signer is offline is no progress, so the waits stay long.
      if (row.stage !== 'building' && row.stage !== 'pending_signature') course.waits = 0
    }
    if (isWithdrawalFinal(row.stage)) {
      course.show(end(row))
      await notifyBatch(input)
      return { stage: row.stage, transactionHash: row.transactionHash }
    }
    if (row.stage === 'confirming' && !sent) {
      sent = true
      await notifyBatch(input)
    }
    const countsSignals = before !== null && undecided && row.stage !== 'requested'
    if (workflowInfo().continueAsNewSuggested && !countsSignals) await continueAsNew<typeof withdrawal>(input)
    if (!(await before?.step(row))) await step(course, row, shownAt)
  }
}

function isUndecided(stage: WithdrawalStage): boolean {
  return stage === 'requested' || stage === 'pending_review' || stage === 'pending_approval'
}

/**
 * Notifies the batch of a part, so that the next part may start. The batch also polls, so a lost signal does
 * no harm.
 */
async function notifyBatch({ batchId: id }: WithdrawalInput): Promise<void> {
  if (id === undefined) return
  try {
    await getExternalWorkflowHandle(batchId(id)).signal(partMoved)
  } catch {
    // The batch has ended already, or was never started.
  }
}

async function step(course: Course, row: WithdrawalSnapshot, shownAt: number): Promise<void> {
  switch (row.stage) {
    case 'requested':
      return screen(course)
    case 'pending_review': {
      const text = `Waiting for a manual review, because ${row.reviewReason}; expires ${toMinute(course.input.expiresAt)}`
      return course.poll(course.untilExpiry(), text)
    }
    case 'pending_approval': {
      const { approvedBy, approvalRequirement } = row
      const text = describeApprovals(approvedBy, approvalRequirement.count, course.input.expiresAt)
      return course.sleep(course.untilExpiry(), text)
    }
    case 'approved':
    case 'building':
      return build(course, row)
    case 'pending_signature':
      return sign(course, shownAt)
    case 'signed':
    case 'broadcasting':
      return broadcast(course, row)
    case 'confirming':
      return confirm(course, row)
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

async function screen(course: Course): Promise<void> {
  const summary = 'Asks the screening service about the destination'
  course.show(summary)
  const screened = await course.attempt(
    chain(summary, { closeMs: course.closeMs() }).screenWithdrawal(course.input.id),
  )
  if (screened?.kind === 'waiting') await course.backOff(screened.message)
}

async function build(course: Course, row: WithdrawalSnapshot): Promise<void> {
  const { id } = course.input
  if (course.isOver()) return core.expireWithdrawal(id)
  course.show('Building the transaction')
  // While workers have more steps than slots, urgency and age decide which is built first. Histories recorded
  // earlier lack the field.
  const priority = row.priority && priorityKey(row.priority, Date.now() - Date.parse(row.createdAt))
  const steps = chain('Builds the transaction', { closeMs: course.closeMs(), priority })
  const built = await course.attempt(steps.buildWithdrawal(id))
  if (built?.kind === 'waiting') await course.backOff(built.message)
}

async function sign(course: Course, shownAt: number): Promise<void> {
  const { id } = course.input
  const summary = "Waits for the customer's signer"
  course.show(summary)
  const closeMs = course.isOver() ? LONGEST_STEP_MS : course.closeMs()
  const answer = await course.attempt(chain(summary, { closeMs, signer: true }).awaitSignature(id))
  const over = course.isOver()
  // No worker could check. Expiring does nothing while a signer holds the request.
  if (answer === null) return over ? core.expireWithdrawal(id) : undefined
  if (answer.kind === 'gone') return
  if (answer.kind === 'answered') return chain("Checks the signer's answer").takeAnswer(id)
  if (over && answer.queued) return core.expireWithdrawal(id)
  if (answer.queued && Date.now() - shownAt > STALE_BUILD_MS) return core.rebuildWithdrawal(id)
  if (over) {
    const text = `${answer.message}; its time is over, but only the signer can say that it signed nothing`
    return course.backOff(text, SIGNER_OFFLINE_MS)
  }
  if (answer.online) return course.backOff(answer.message)
  await course.backOff(answer.message, Math.min(SIGNER_OFFLINE_MS, course.untilExpiry()))
}

async function broadcast(course: Course, row: WithdrawalSnapshot): Promise<void> {
  const { id } = course.input
  course.show(`Broadcasting ${row.transactionHash ?? ''}`)
  const sent = await chain('Sends the signed bytes').broadcastWithdrawal(id)
  if (sent.kind === 'lost') return core.loseWithdrawal(id, { code: sent.code, message: sent.message })
  if (sent.kind === 'waiting') await course.backOff(sent.message, row.rebroadcastMs)
}

async function confirm(course: Course, row: WithdrawalSnapshot): Promise<void> {
  const { id } = course.input
  const { rebroadcastMs, requiredConfirmations: required } = row
  const transaction = row.transactionHash ?? ''
  const polls = course.waits++
  // Nothing is mined a moment after it was sent, and the watcher signals when it is deep enough.
  if (polls === 0) return course.poll(rebroadcastMs, `${transaction} is sent and waits for a block`)
  const found = await chain('Looks for the transaction on the chain').followWithdrawal(id)
  switch (found.kind) {
    case 'final':
      return core.settleWithdrawal(id, found.outcome)
    case 'lost':
      return core.loseWithdrawal(id, { code: found.code, message: found.message })
    case 'gone':
      return
    case 'mined': {
      const expected = (required - found.confirmations) * row.blockTimeMs * PATIENCE
      const text = `${transaction} is in block ${found.blockNumber}: ${found.confirmations} of ${required} confirmations`
      return course.poll(Math.max(rebroadcastMs, expected), text)
    }
    case 'unmined':
    case 'waiting': {
      const text = found.kind === 'waiting' ? found.message : `${transaction} waits for a block`
      const patience = rebroadcastMs * 1.5 ** Math.min(polls, 20)
      return course.poll(Math.min(patience, found.lagsInMs ?? patience), text)
    }
    default:
      assertNever(found)
  }
}

function end(row: WithdrawalSnapshot): string {
  const hash = row.transactionHash ? `: ${row.transactionHash}` : ''
  return row.stage === 'confirmed' ? `Confirmed${hash}` : `${row.stage}: ${row.failure ?? 'by request'}`
}
