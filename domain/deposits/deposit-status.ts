/** The states of a deposit and the only ways between them. */

export const DEPOSIT_STATUSES = [
  'detected',
  'unconfirmed',
  'confirmed',
  'screening_requested',
  'success',
  'held',
  'reverted',
  'replaced',
] as const

export type DepositStatus = (typeof DEPOSIT_STATUSES)[number]

/**
 * `detected` seen in the mempool (or on the way into a block); `unconfirmed` mined below the threshold; `confirmed` at it
 * (BLOCKCHAIN + RESERVED in the books); `screening_requested`; `success` (AVAILABLE). Aside: `held` by screening,
 * `reverted` when its block left the chain, `replaced` when a conflicting transaction took its inputs, or (EVM) its own
 * transaction was mined and does not pay it.
 * A reverted deposit that is mined again becomes `unconfirmed` in a new epoch.
 */
export const DEPOSIT_TRANSITIONS: Readonly<Record<DepositStatus, readonly DepositStatus[]>> = {
  detected: ['unconfirmed', 'replaced'],
  unconfirmed: ['confirmed', 'reverted'],
  confirmed: ['screening_requested', 'reverted'],
  screening_requested: ['success', 'held', 'reverted'],
  success: ['reverted'],
  held: ['success', 'reverted'],
  reverted: ['detected', 'unconfirmed', 'replaced'],
  replaced: ['detected', 'unconfirmed'],
}

/** Whether a deposit may go from one status to the other. */
export function canDepositMove(from: DepositStatus, to: DepositStatus): boolean {
  return DEPOSIT_TRANSITIONS[from].includes(to)
}
