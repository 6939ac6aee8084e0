/**
 * Sets of deposit statuses that queries and rules share.
 *
 * Each set names every status, so that a new status does not compile before each set has decided about it.
 * Queries write a set with `members` of `db/members.ts`.
 */

import type { DepositStatus } from './deposit-status.js'

type DepositSet = Readonly<Record<DepositStatus, boolean>>

/** Deposits that were seen and are not deep enough to be booked: the `pending` of a balance. */
export const PENDING_DEPOSITS = {
  detected: true,
  unconfirmed: true,
  confirmed: false,
  screening_requested: false,
  success: false,
  held: false,
  reverted: false,
  replaced: false,
} as const satisfies DepositSet

/** Deposits that are booked as BLOCKCHAIN and RESERVED, and not available to the user. */
export const RESERVED_DEPOSITS = {
  detected: false,
  unconfirmed: false,
  confirmed: true,
  screening_requested: true,
  success: false,
  held: true,
  reverted: false,
  replaced: false,
} as const satisfies DepositSet

/** Deposits whose workflow has work left. That of a held deposit has ended: a person decides. */
export const OPEN_DEPOSITS = {
  detected: true,
  unconfirmed: true,
  confirmed: true,
  screening_requested: true,
  success: false,
  held: false,
  reverted: false,
  replaced: false,
} as const satisfies DepositSet

/** Deposits that are neither available to the user nor gone: open ones, and held ones. */
export const UNCREDITED_DEPOSITS = {
  detected: true,
  unconfirmed: true,
  confirmed: true,
  screening_requested: true,
  success: false,
  held: true,
  reverted: false,
  replaced: false,
} as const satisfies DepositSet

/** Deposits in a block of the scanned chain, which a reorg can revert. */
export const MINED_DEPOSITS = {
  detected: false,
  unconfirmed: true,
  confirmed: true,
  screening_requested: true,
  success: true,
  held: true,
  reverted: false,
  replaced: false,
} as const satisfies DepositSet

/** Deposits in no block, which another transaction can still replace. */
export const UNMINED_DEPOSITS = {
  detected: true,
  unconfirmed: false,
  confirmed: false,
  screening_requested: false,
  success: false,
  held: false,
  reverted: true,
  replaced: false,
} as const satisfies DepositSet

/** Deposits that the chain does not pay at present. */
export const GONE_DEPOSITS = {
  detected: false,
  unconfirmed: false,
  confirmed: false,
  screening_requested: false,
  success: false,
  held: false,
  reverted: true,
  replaced: true,
} as const satisfies DepositSet

/** Deposits that do not keep their output from paying: credited ones, and those whose inputs were taken. */
export const FREE_DEPOSITS = {
  detected: false,
  unconfirmed: false,
  confirmed: false,
  screening_requested: false,
  success: true,
  held: false,
  reverted: false,
  replaced: true,
} as const satisfies DepositSet
