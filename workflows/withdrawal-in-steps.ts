/**
 * How runs that began before `carryWithdrawal` take a payout to its end: with an activity for each step.
 * Their histories replay only with this file. Remove it, `WithdrawalStepActivities` and the `patched` call in
 * `withdrawal.ts` when no run is open that started before this version was deployed: `WorkflowType =
 * 'withdrawal' AND ExecutionStatus = 'Running' AND StartTime < '…'`.
 */

import { continueAsNew, patched, setHandler, workflowInfo } from '@temporalio/workflow'
import type { WithdrawalSnapshot } from '../activities/payouts/withdrawal.js'
import { assertNever } from '../domain/assert-never.js'
import { priorityKey } from '../domain/payouts/queue-order.js'
import { isWithdrawalFinal } from '../domain/payouts/withdrawal-stage.js'
import type { WithdrawalInput } from '../temporal/inputs.js'
import { describeApprovals, toMinute } from './describe-approvals.js'
import { chain, core } from './withdrawal-activities.js'
import { createBeforeAdvance } from './withdrawal-before-advance.js'
import { type Course, isUndecided, LONGEST_STEP_MS } from './withdrawal-course.js'
import {
  answered,
  awaitSigner,
  decide,
  describeEnd,
  notifyBatch,
  PATIENCE,
  screen,
  WAKING,
  type WithdrawalResult,
} from './withdrawal-steps.js'

/** Takes one payout to its end. It goes on from whichever stage the row is in. */
export async function withdrawalInSteps(course: Course): Promise<WithdrawalResult> {
  const { input } = course
  const { id, network } = input
  // A part of a batch is approved before it starts.
  let undecided = input.batchId === undefined
  const before = undecided && !patched('advance-withdrawal') ? createBeforeAdvance(course) : null
  setHandler(decide, (signalled) => {
    before?.decided(signalled)
    course.wake()
  })
  for (const signal of [...WAKING, answered]) setHandler(signal, course.wake)
  let sent = false

  for (;;) {
    course.begin()
    const row =
      undecided && !before
        ? await core.advanceWithdrawal(id, network, new Date().toISOString())
        : await core.readWithdrawal(id, network)
    before?.recall(row)
    undecided = isUndecided(row.stage)
    if (course.enter(row.stage)) before?.stageChanged()
    if (isWithdrawalFinal(row.stage)) {
      course.show(describeEnd(row))
      await notifyBatch(input)
      return { stage: row.stage, transactionHash: row.transactionHash }
    }
    if (row.stage === 'confirming' && !sent) {
      sent = true
      await notifyBatch(input)
    }
    const countsSignals = before !== null && undecided && row.stage !== 'requested'
    if (workflowInfo().continueAsNewSuggested && !countsSignals)
      await continueAsNew<(input: WithdrawalInput) => Promise<WithdrawalResult>>(input)
    if (!(await before?.step(row))) await step(course, row)
  }
}

async function step(course: Course, row: WithdrawalSnapshot): Promise<void> {
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
      return sign(course)
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

async function sign(course: Course): Promise<void> {
  const { id } = course.input
  const summary = "Waits for the customer's signer"
  course.show(summary)
  const closeMs = course.isOver() ? LONGEST_STEP_MS : course.closeMs()
  const answer = await course.attempt(chain(summary, { closeMs, signer: true }).awaitSignature(id))
  // No worker could check. Expiring does nothing while a signer holds the request.
  if (answer === null) return course.isOver() ? core.expireWithdrawal(id) : undefined
  if (answer.kind === 'gone') return
  if (answer.kind === 'answered') return chain("Checks the signer's answer").takeAnswer(id)
  await awaitSigner(course, answer)
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
