/** The stages of a batch, and the public status that follows from what became of its items. */

import type { WithdrawalStatus } from './withdrawal-stage.js'

export const BATCH_STAGES = [
  'requested',
  'pending_review',
  'pending_approval',
  'approved',
  'completed',
  'rejected',
  'expired',
  'cancelled',
] as const

export type BatchStage = (typeof BATCH_STAGES)[number]

/** An approved batch can no longer be stopped as a whole: each of its parts goes its own way. */
export const BATCH_TRANSITIONS: Readonly<Record<BatchStage, readonly BatchStage[]>> = {
  requested: ['pending_review', 'pending_approval', 'rejected', 'cancelled', 'expired'],
  pending_review: ['pending_approval', 'rejected', 'cancelled', 'expired'],
  pending_approval: ['approved', 'rejected', 'cancelled', 'expired'],
  approved: ['completed'],
  completed: [],
  rejected: [],
  expired: [],
  cancelled: [],
}

/** The seven statuses of a withdrawal, which its items have too, and one for a batch that was paid in part. */
export const BATCH_STATUSES = [
  'pending',
  'processing',
  'broadcasting',
  'confirming',
  'confirmed',
  'partially_confirmed',
  'failed',
  'cancelled',
] as const

export type BatchStatus = (typeof BATCH_STATUSES)[number]

/** How many items are where; the sum is the number of items. */
export type ItemCounts = Readonly<Record<WithdrawalStatus, number>>

export const NO_ITEMS: ItemCounts = {
  pending: 0,
  processing: 0,
  broadcasting: 0,
  confirming: 0,
  confirmed: 0,
  failed: 0,
  cancelled: 0,
}

/** Open statuses, the least advanced first. */
const OPEN = ['pending', 'processing', 'broadcasting', 'confirming'] as const

/** Whether people can still decide about a batch of each stage. */
const PENDING: Readonly<Record<BatchStage, boolean>> = {
  requested: true,
  pending_review: true,
  pending_approval: true,
  approved: false,
  completed: false,
  rejected: false,
  expired: false,
  cancelled: false,
}

/** Stages of batches that have not ended. Queries write the set with `members` of `db/members.ts`. */
export const OPEN_BATCHES: Readonly<Record<BatchStage, boolean>> = {
  requested: true,
  pending_review: true,
  pending_approval: true,
  approved: true,
  completed: false,
  rejected: false,
  expired: false,
  cancelled: false,
}

/** Returns whether people can still decide about a batch. */
export function isBatchPending(stage: BatchStage): boolean {
  return PENDING[stage]
}

/** Whether nothing will change any more. */
export function isBatchFinal(stage: BatchStage): boolean {
  return BATCH_TRANSITIONS[stage].length === 0
}

/**
 * While items are open, the batch is where the last of them is. Afterwards it is `confirmed` when all were paid,
 * `partially_confirmed` when some were, `cancelled` when all were cancelled, else `failed`.
 */
export function batchStatus(counts: ItemCounts): BatchStatus {
  const open = OPEN.find((status) => counts[status] > 0)
  if (open) return open
  const { confirmed, failed, cancelled } = counts
  if (confirmed > 0) return failed + cancelled > 0 ? 'partially_confirmed' : 'confirmed'
  return failed > 0 ? 'failed' : 'cancelled'
}
