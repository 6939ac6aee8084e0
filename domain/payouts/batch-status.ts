/** Lists the stages of a batch, and derives its public status from the statuses of its items. */

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

/**
 * Transitions of a batch.
 *
 * ```
 * requested ─┬─► pending_review ──► pending_approval ──► approved ──► completed
 *            └─► pending_approval        no review is needed
 * requested, pending_review, pending_approval ──► rejected, cancelled, expired
 * ```
 *
 * An approved batch cannot be stopped as a whole: each of its parts is a payout with its own stages.
 */
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

/** Public statuses of a batch: those of a withdrawal, and one for a batch that was paid in part. */
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

/** Number of items in each status. */
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

/** Statuses of items that have not ended, the least advanced first. */
const OPEN = ['pending', 'processing', 'broadcasting', 'confirming'] as const

/** Stages in which people can still decide about a batch. */
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

/** Stages of batches that have not ended. Queries write the set with `members`. */
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

/** Returns whether a stage is final. */
export function isBatchFinal(stage: BatchStage): boolean {
  return BATCH_TRANSITIONS[stage].length === 0
}

/**
 * Returns the public status of a batch: while items are open, the status of the least advanced one.
 * Afterwards it is `confirmed` if all were paid, `partially_confirmed` if some were, `cancelled` if all were
 * cancelled, else `failed`.
 */
export function batchStatus(counts: ItemCounts): BatchStatus {
  const open = OPEN.find((status) => counts[status] > 0)
  if (open) return open
  const { confirmed, failed, cancelled } = counts
  if (confirmed > 0) return failed + cancelled > 0 ? 'partially_confirmed' : 'confirmed'
  return failed > 0 ? 'failed' : 'cancelled'
}
