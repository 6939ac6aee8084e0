/** Lists the stages of a payout, the transitions between them, and the public status of each. */

export const WITHDRAWAL_STAGES = [
  'requested',
  'pending_review',
  'pending_approval',
  'approved',
  'building',
  'pending_signature',
  'signed',
  'broadcasting',
  'confirming',
  'confirmed',
  'rejected',
  'expired',
  'cancelled',
  'failed',
  'reverted',
] as const

export type WithdrawalStage = (typeof WITHDRAWAL_STAGES)[number]

/** Public statuses of a payout. `WITHDRAWAL_STATUS` maps each stage to one. */
export const WITHDRAWAL_STATUSES = [
  'pending',
  'processing',
  'broadcasting',
  'confirming',
  'confirmed',
  'failed',
  'cancelled',
] as const

export type WithdrawalStatus = (typeof WITHDRAWAL_STATUSES)[number]

/**
 * Transitions of a payout.
 *
 * ```
 * requested ─┬─► pending_review ──► pending_approval ──► approved
 *            ├─► pending_approval        no review is needed
 *            └─► approved                a movement between own wallets that needs no person
 * approved ──► building ──► pending_signature ──► signed ──► broadcasting ──► confirming ─┬─► confirmed
 *                                                                                         └─► reverted
 * building ─┬─► approved                 the attempt died unsigned; it is tried again
 *           └─► pending_review           its recipient came onto the sanctions list meanwhile
 * pending_signature ──► building         no signer took the request; it is built again
 * confirming ──► broadcasting            a reorg took its block
 *
 * requested, pending_review, pending_approval, approved, building, pending_signature ──► cancelled, expired
 * pending_review, pending_approval ──► rejected
 * requested, approved, building, pending_signature, broadcasting, confirming ──► failed
 * broadcasting, confirming ──► cancelled
 * ```
 *
 * - No payout goes back past `signed`. Signed bytes are a bearer instrument, so the chain alone decides then.
 * - `pending_signature` ends in `cancelled` or `expired` only while no signer has taken the request.
 * - `broadcasting` and `confirming` end in `failed` only when a conflicting transaction of others (same nonce
 *   or same input) is final, and in `cancelled` only when an own transaction that pays no recipient is final.
 * - `reverted`: an EVM transaction was mined and failed. Its gas is spent, its amount is not.
 */
export const WITHDRAWAL_TRANSITIONS: Readonly<Record<WithdrawalStage, readonly WithdrawalStage[]>> = {
  requested: ['pending_review', 'pending_approval', 'approved', 'failed', 'cancelled', 'expired'],
  pending_review: ['pending_approval', 'rejected', 'cancelled', 'expired'],
  pending_approval: ['approved', 'rejected', 'cancelled', 'expired'],
  approved: ['building', 'cancelled', 'expired', 'failed'],
  building: ['pending_signature', 'pending_review', 'approved', 'failed', 'expired', 'cancelled'],
  pending_signature: ['signed', 'building', 'failed', 'expired', 'cancelled'],
  signed: ['broadcasting'],
  broadcasting: ['confirming', 'failed', 'cancelled'],
  confirming: ['confirmed', 'reverted', 'broadcasting', 'failed', 'cancelled'],
  confirmed: [],
  rejected: [],
  expired: [],
  cancelled: [],
  failed: [],
  reverted: [],
}

/** Public status of each stage. */
export const WITHDRAWAL_STATUS: Readonly<Record<WithdrawalStage, WithdrawalStatus>> = {
  requested: 'pending',
  pending_review: 'pending',
  pending_approval: 'pending',
  approved: 'processing',
  building: 'processing',
  pending_signature: 'processing',
  signed: 'broadcasting',
  broadcasting: 'broadcasting',
  confirming: 'confirming',
  confirmed: 'confirmed',
  rejected: 'failed',
  expired: 'failed',
  cancelled: 'cancelled',
  failed: 'failed',
  reverted: 'failed',
}

/** Returns whether a payout may move from one stage to the other. */
export function canWithdrawalMove(from: WithdrawalStage, to: WithdrawalStage): boolean {
  return WITHDRAWAL_TRANSITIONS[from].includes(to)
}

const SIGNED: Readonly<Record<WithdrawalStage, boolean>> = {
  requested: false,
  pending_review: false,
  pending_approval: false,
  approved: false,
  building: false,
  pending_signature: false,
  signed: true,
  broadcasting: true,
  confirming: true,
  confirmed: false,
  rejected: false,
  expired: false,
  cancelled: false,
  failed: false,
  reverted: false,
}

/**
 * Returns whether signed bytes exist that can still be mined. From here on nothing is given back on the
 * platform's word alone.
 */
export function isSigned(stage: WithdrawalStage): boolean {
  return SIGNED[stage]
}

/** Returns whether a stage is final. Only a reorg moves a payout out of a final stage. */
export function isWithdrawalFinal(stage: WithdrawalStage): boolean {
  return WITHDRAWAL_TRANSITIONS[stage].length === 0
}
