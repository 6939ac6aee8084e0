/**
 * One payout, from its request to the settled books. The row is the truth; this process waits, takes the
 * steps and shows them.
 */

import { continueAsNew, patched, setHandler, workflowInfo } from '@temporalio/workflow'
import type { CarryStep } from '../activities/payouts/withdrawal/carry-withdrawal.js'
import type { WithdrawalSnapshot } from '../activities/payouts/withdrawal.js'
import { assertNever } from '../domain/assert-never.js'
import { priorityKey } from '../domain/payouts/queue-order.js'
import { isWithdrawalFinal } from '../domain/payouts/withdrawal-stage.js'
import type { WithdrawalInput } from '../temporal/inputs.js'
import { describeApprovals, toMinute } from './describe-approvals.js'
import { chain, core } from './withdrawal-activities.js'
import { type Course, createCourse, isUndecided, LONGEST_STEP_MS } from './withdrawal-course.js'
import { withdrawalInSteps } from './withdrawal-in-steps.js'
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

/** The row as a step left it. `null`: it has to be read. */
type Left = WithdrawalSnapshot | null

/** Takes one payout to its end. It goes on from whichever stage the row is in. */
export async function withdrawal(input: WithdrawalInput): Promise<WithdrawalResult> {
  const course = createCourse(input)
  if (!patched('carry-withdrawal')) return withdrawalInSteps(course)
  // A part of a batch is approved before it starts.
  let undecided = input.batchId === undefined
  setHandler(decide, () => {
    // A decision that comes late was counted before.
    if (undecided) course.wake()
  })
  for (const signal of WAKING) setHandler(signal, course.wake)
  setHandler(answered, course.answered)
  let left: Left = null
  let sent = false

  for (;;) {
    const row: WithdrawalSnapshot = left ?? (await readRow(course, undecided))
    undecided = isUndecided(row.stage)
    course.enter(row.stage)
    if (isWithdrawalFinal(row.stage)) {
      course.show(describeEnd(row))
      await notifyBatch(input)
      return { stage: row.stage, transactionHash: row.transactionHash }
    }
    if (row.stage === 'confirming' && !sent) {
      sent = true
      await notifyBatch(input)
    }
    if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof withdrawal>(input)
    left = await step(course, row)
  }
}

/** Reads the row, after it was taken as far as its decisions allow. */
async function readRow(course: Course, undecided: boolean): Promise<WithdrawalSnapshot> {
  const { id, network } = course.input
  course.begin()
  return undecided
    ? core.advanceWithdrawal(id, network, new Date().toISOString())
    : core.readWithdrawal(id, network)
}

async function step(course: Course, row: WithdrawalSnapshot): Promise<Left> {
  const { expiresAt } = course.input
  switch (row.stage) {
    case 'requested':
      await screen(course)
      return null
    case 'pending_review': {
      const text = `Waiting for a manual review, because ${row.reviewReason}; expires ${toMinute(expiresAt)}`
      await course.poll(course.untilExpiry(), text)
      return null
    }
    case 'pending_approval':
      await course.untilDecided(describeApprovals(row.approvedBy, row.approvalRequirement.count, expiresAt))
      return null
    case 'approved':
    case 'building':
      return build(course, row)
    case 'pending_signature':
      return sign(course, row)
    case 'signed':
    case 'broadcasting':
      course.show(`Broadcasting ${row.transactionHash ?? ''}`)
      return leave(
        course,
        row,
        await chain('Sends the signed bytes', { carries: true }).carryWithdrawal(course.input.id, true),
      )
    case 'confirming':
      return confirm(course, row)
    case 'confirmed':
    case 'rejected':
    case 'expired':
    case 'cancelled':
    case 'failed':
    case 'reverted':
      return row
    default:
      return assertNever(row.stage)
  }
}

async function build(course: Course, row: WithdrawalSnapshot): Promise<Left> {
  const { id } = course.input
  if (course.isOver()) return expire(course)
  course.show('Building the transaction; it is sent as soon as the signer has signed it')
  const steps = chain('Builds the transaction, has it signed and sends it', {
    carries: true,
    closeMs: course.closeMs(),
    // While workers have more steps than slots, urgency and age decide which is built first.
    priority: priorityKey(row.priority, Date.now() - Date.parse(row.createdAt)),
  })
  return leave(course, row, await course.attempt(steps.carryWithdrawal(id, false)))
}

async function sign(course: Course, row: WithdrawalSnapshot): Promise<Left> {
  const { id } = course.input
  course.show("Waits for the customer's signer")
  const closeMs = course.isOver() ? LONGEST_STEP_MS : course.closeMs()
  const steps = chain("Waits for the customer's signer, then sends", { carries: true, closeMs })
  const carried = await course.attempt(steps.carryWithdrawal(id, true))
  // No worker could check. Expiring does nothing while a signer holds the request.
  if (carried === null && course.isOver()) return expire(course)
  return leave(course, row, carried)
}

/** Waits for what a step waits for. */
async function leave(course: Course, before: WithdrawalSnapshot, carried: CarryStep | null): Promise<Left> {
  if (carried === null) return null
  const row = { ...before, ...carried.state }
  course.enter(row.stage)
  switch (carried.kind) {
    case 'moved':
      if (!isUnsent(before)) course.tookAnswers()
      if (!isUnsent(row) || row.stage !== before.stage) return row
      await course.backOff('Nothing is proven against it; the same bytes are sent again', row.rebroadcastMs)
      return null
    case 'waiting':
      await course.backOff(carried.message, isUnsent(row) ? row.rebroadcastMs : undefined)
      return null
    case 'unsigned':
      await awaitSigner(course, carried)
      return null
    default:
      return assertNever(carried)
  }
}

/** Whether it is signed, and no node has it: the same bytes are then sent again and again. */
function isUnsent({ stage }: WithdrawalSnapshot): boolean {
  return stage === 'signed' || stage === 'broadcasting'
}

async function expire(course: Course): Promise<null> {
  await core.expireWithdrawal(course.input.id)
  return null
}

async function confirm(course: Course, row: WithdrawalSnapshot): Promise<Left> {
  const { rebroadcastMs, requiredConfirmations: required } = row
  const transaction = row.transactionHash ?? ''
  const polls = course.waits++
  // Nothing is mined a moment after it was sent, and the watcher signals when it is deep enough.
  if (polls === 0) await course.poll(rebroadcastMs, `${transaction} is sent and waits for a block`)
  course.begin()
  const found = await chain('Looks for the transaction on the chain', { follows: true }).followToEnd(
    course.input.id,
  )
  const now = { ...row, ...found.state }
  switch (found.kind) {
    case 'moved':
      if (now.stage === 'confirming') await course.poll(rebroadcastMs, `${transaction} is followed`)
      return now
    case 'mined': {
      const expected = (required - found.confirmations) * row.blockTimeMs * PATIENCE
      const text = `${transaction} is in block ${found.blockNumber}: ${found.confirmations} of ${required} confirmations`
      await course.poll(Math.max(rebroadcastMs, expected), text)
      return now
    }
    case 'unmined':
    case 'waiting': {
      const text = found.kind === 'waiting' ? found.message : `${transaction} waits for a block`
      const patience = rebroadcastMs * 1.5 ** Math.min(polls, 20)
      await course.poll(Math.min(patience, found.lagsInMs ?? patience), text)
      return now
    }
    default:
      return assertNever(found)
  }
}
