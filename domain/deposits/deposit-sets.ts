/**
 * Sets of deposit statuses that queries and rules share.
 *
 * Each set names every status, so that a new status does not compile before each set has decided about it. Queries
 * write a set with `members` of `db/members.ts`.
 */

import type { DepositStatus } from './deposit-status.js'

type DepositSet = Readonly<Record<DepositStatus, boolean>>

/** Seen, and not yet deep enough to be booked: the `pending` of a balance. */
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

/** Booked as BLOCKCHAIN and RESERVED, and not available to the user. */
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

/** The workflow of the deposit has work left. A held deposit waits for a person, and its workflow has ended. */
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

/** Neither available to the user nor gone: open, or held for a person. */
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

/** In a block of the scanned chain, so a reorg can revert it. */
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

/** In no block, and another transaction can still take its place. */
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

/** The chain does not pay it at present. */
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

/** Does not keep its output from paying: it is credited, or another transaction took its inputs. */
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
