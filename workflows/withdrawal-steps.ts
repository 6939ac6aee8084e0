/**
 * Holds what old and new runs of a withdrawal share: signals, patience, screening, the wait for
 * the signer, and the text of its end.
 */

import { defineSignal, getExternalWorkflowHandle } from '@temporalio/workflow'
import type { AwaitedSignature } from '../activities/payouts/withdrawal/await-signature.js'
import type { WithdrawalSnapshot } from '../activities/payouts/withdrawal.js'
import type { WithdrawalStage } from '../domain/payouts/withdrawal-stage.js'
import { batchId } from '../temporal/ids.js'
import type { WithdrawalInput } from '../temporal/inputs.js'
import { partMoved } from './batch.js'
import { chain, core } from './withdrawal-activities.js'
import type { Course } from './withdrawal-course.js'

/** A decision was stored. Only the stored rows are counted. */
export const decide = defineSignal<[unknown]>('decide')
/** The signer answered. */
export const answered = defineSignal('answered')
/** Signals that only end a wait, because what they report is in the row. */
export const WAKING = [
  // A person cancelled the withdrawal.
  'cancel',
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
export const PATIENCE = 2

/**
 * Notifies the batch of a part, so that the next part may start. The batch also polls, so a lost signal does
 * no harm.
 */
export async function notifyBatch({ batchId: id }: WithdrawalInput): Promise<void> {
  if (id === undefined) return
  try {
    await getExternalWorkflowHandle(batchId(id)).signal(partMoved)
  } catch {
    // The batch has ended already, or was never started.
  }
}

/** Has the screening service asked about the destination. */
export async function screen(course: Course): Promise<void> {
  const summary = 'Asks the screening service about the destination'
  course.show(summary)
  const screened = await course.attempt(
    chain(summary, { closeMs: course.closeMs() }).screenWithdrawal(course.input.id),
  )
  if (screened?.kind === 'waiting') await course.backOff(screened.message)
}

/** Waits for a signer that has not answered, has the payout built again with newer fees, or lets it expire. */
export async function awaitSigner(
  course: Course,
  unsigned: Pick<AwaitedSignature, 'queued' | 'online' | 'message'>,
): Promise<void> {
  const { id } = course.input
  const over = course.isOver()
  if (over && unsigned.queued) return core.expireWithdrawal(id)
  if (unsigned.queued && Date.now() - course.enteredAt > STALE_BUILD_MS) return core.rebuildWithdrawal(id)
  if (over) {
    const text = `${unsigned.message}; its time is over, but only the signer can say that it signed nothing`
    return course.backOff(text, SIGNER_OFFLINE_MS)
  }
  if (unsigned.online) return course.backOff(unsigned.message)
  await course.backOff(unsigned.message, Math.min(SIGNER_OFFLINE_MS, course.untilExpiry()))
}

/** Returns, for example, `Confirmed: 0x…` or `expired: Nothing was signed until …`. */
export function describeEnd(row: WithdrawalSnapshot): string {
  const hash = row.transactionHash ? `: ${row.transactionHash}` : ''
  return row.stage === 'confirmed' ? `Confirmed${hash}` : `${row.stage}: ${row.failure ?? 'by request'}`
}
