/**
 * Sets of payout stages that queries and rules share.
 *
 * Each set names every stage, so that a new stage does not compile before each set has decided about it. Queries
 * write a set with `members` of `db/members.ts`.
 */

import type { WithdrawalStage } from './withdrawal-stage.js'

type StageSet = Readonly<Record<WithdrawalStage, boolean>>

/** Not ended: the payout still moves, or waits for a person, a signer or the chain. */
export const OPEN_PAYOUTS = {
  requested: true,
  pending_review: true,
  pending_approval: true,
  approved: true,
  building: true,
  pending_signature: true,
  signed: true,
  broadcasting: true,
  confirming: true,
  confirmed: false,
  rejected: false,
  expired: false,
  cancelled: false,
  failed: false,
  reverted: false,
} as const satisfies StageSet

/** Ended. Only a reorg opens the payout again. */
export const FINAL_PAYOUTS = {
  requested: false,
  pending_review: false,
  pending_approval: false,
  approved: false,
  building: false,
  pending_signature: false,
  signed: false,
  broadcasting: false,
  confirming: false,
  confirmed: true,
  rejected: true,
  expired: true,
  cancelled: true,
  failed: true,
  reverted: true,
} as const satisfies StageSet

/** Approved and not ended: from here on the machine, the signer and the chain act. */
export const APPROVED_PAYOUTS = {
  requested: false,
  pending_review: false,
  pending_approval: false,
  approved: true,
  building: true,
  pending_signature: true,
  signed: true,
  broadcasting: true,
  confirming: true,
  confirmed: false,
  rejected: false,
  expired: false,
  cancelled: false,
  failed: false,
  reverted: false,
} as const satisfies StageSet

/** A node may have taken an attempt, so replacements and cancelling transactions are possible. */
export const SENT_PAYOUTS = {
  requested: false,
  pending_review: false,
  pending_approval: false,
  approved: false,
  building: false,
  pending_signature: false,
  signed: false,
  broadcasting: true,
  confirming: true,
  confirmed: false,
  rejected: false,
  expired: false,
  cancelled: false,
  failed: false,
  reverted: false,
} as const satisfies StageSet

/** Approved and in no block: a part of a batch in such a stage uses one of the places for parts at work. */
export const UNSENT_PARTS = {
  requested: false,
  pending_review: false,
  pending_approval: false,
  approved: true,
  building: true,
  pending_signature: true,
  signed: true,
  broadcasting: true,
  confirming: false,
  confirmed: false,
  rejected: false,
  expired: false,
  cancelled: false,
  failed: false,
  reverted: false,
} as const satisfies StageSet

/** The answer of a signer can move the payout: the first attempt, or a further one. */
export const ASKING_PAYOUTS = {
  requested: false,
  pending_review: false,
  pending_approval: false,
  approved: false,
  building: false,
  pending_signature: true,
  signed: false,
  broadcasting: true,
  confirming: true,
  confirmed: false,
  rejected: false,
  expired: false,
  cancelled: false,
  failed: false,
  reverted: false,
} as const satisfies StageSet

/** Ended by a person or by time, before anything was sent. */
export const STOPPED_PAYOUTS = {
  requested: false,
  pending_review: false,
  pending_approval: false,
  approved: false,
  building: false,
  pending_signature: false,
  signed: false,
  broadcasting: false,
  confirming: false,
  confirmed: false,
  rejected: true,
  expired: true,
  cancelled: true,
  failed: false,
  reverted: false,
} as const satisfies StageSet

/** Ended by an error: nothing could be sent, or the chain refused it. */
export const BROKEN_PAYOUTS = {
  requested: false,
  pending_review: false,
  pending_approval: false,
  approved: false,
  building: false,
  pending_signature: false,
  signed: false,
  broadcasting: false,
  confirming: false,
  confirmed: false,
  rejected: false,
  expired: false,
  cancelled: false,
  failed: true,
  reverted: true,
} as const satisfies StageSet

/** Ended without paying its recipient, so its amount does not count against limits. */
export const UNPAID_PAYOUTS = {
  requested: false,
  pending_review: false,
  pending_approval: false,
  approved: false,
  building: false,
  pending_signature: false,
  signed: false,
  broadcasting: false,
  confirming: false,
  confirmed: false,
  rejected: true,
  expired: true,
  cancelled: true,
  failed: true,
  reverted: true,
} as const satisfies StageSet

/** Ended, and nothing left the wallet for it other than the fee of a cancelling transaction. */
export const UNSPENT_PAYOUTS = {
  requested: false,
  pending_review: false,
  pending_approval: false,
  approved: false,
  building: false,
  pending_signature: false,
  signed: false,
  broadcasting: false,
  confirming: false,
  confirmed: false,
  rejected: true,
  expired: true,
  cancelled: true,
  failed: true,
  reverted: false,
} as const satisfies StageSet

/** The alert about a sanctioned recipient stays: a reviewer has to decide, or the payout is sent. */
export const LISTED_PAYOUTS = {
  requested: false,
  pending_review: true,
  pending_approval: false,
  approved: false,
  building: false,
  pending_signature: false,
  signed: false,
  broadcasting: true,
  confirming: true,
  confirmed: false,
  rejected: false,
  expired: false,
  cancelled: false,
  failed: false,
  reverted: false,
} as const satisfies StageSet
