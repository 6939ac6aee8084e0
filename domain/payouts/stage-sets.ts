/**
 * Sets of payout stages that queries and rules share.
 *
 * Each set names every stage, so that a new stage does not compile before each set has decided about it.
 * Queries write a set with `members` of `db/members.ts`.
 */

import type { WithdrawalStage } from './withdrawal-stage.js'

type StageSet = Readonly<Record<WithdrawalStage, boolean>>

/** Payouts that have not ended: they move, or wait for a person, a signer or the chain. */
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

/** Payouts that have ended. Only a reorg opens one again. */
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

/** Approved payouts that have not ended: the machine, the signer and the chain act. */
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

/** Payouts of which a node may have an attempt, so replacements and cancelling transactions are possible. */
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

/**
 * Approved payouts of which no node is known to have an attempt: a pause of settlement stops them. Parts of a batch
 * in these stages use one of the places for parts at work.
 */
export const UNSENT_PAYOUTS = {
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

/** Payouts that may wait for a signer's answer: about the first attempt, or about a further one. */
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

/** Payouts that a person or time ended before anything was sent. */
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

/** Payouts that an error ended: nothing could be sent, or the chain refused it. */
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

/** Payouts that ended without paying their recipient, so they do not count against limits. */
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

/** Payouts that ended and took nothing from the wallet but the fee of a cancelling transaction. */
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

/** Payouts whose alert about a sanctioned recipient stays: a reviewer must decide, or it is sent. */
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

/** Payouts whose transaction was mined, so that the books have what left. */
export const SETTLED_PAYOUTS = {
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
  rejected: false,
  expired: false,
  cancelled: false,
  failed: false,
  reverted: true,
} as const satisfies StageSet
