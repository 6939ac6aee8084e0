/** Lists the statuses of a deposit and the transitions between them. */

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
 * Transitions of a deposit.
 *
 * ```
 * detected ──► unconfirmed ──► confirmed ──► screening_requested ─┬─► success
 *                                                                 └─► held ──► success
 *
 * unconfirmed, confirmed, screening_requested, success, held ──► reverted    its block left the chain
 * detected, reverted ──► replaced                                            another transaction excludes it
 * reverted, replaced ──► detected, unconfirmed                               it was seen or mined again
 * ```
 *
 * - `detected`: seen in the mempool, or on its way into a block.
 * - `unconfirmed`: mined, below the threshold.
 * - `confirmed`: at the threshold, booked as BLOCKCHAIN and RESERVED.
 * - `screening_requested`: waits for the verdict of screening.
 * - `success`: AVAILABLE to the user.
 * - `held`: set aside by screening, for a person to decide.
 * - `reverted`: its block left the chain. Mined again, it becomes `unconfirmed` in a new epoch.
 * - `replaced`: a conflicting transaction took its inputs, or (EVM) its own transaction was mined and does
 *   not pay it.
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

/** Returns whether a deposit may move from one status to the other. */
export function canDepositMove(from: DepositStatus, to: DepositStatus): boolean {
  return DEPOSIT_TRANSITIONS[from].includes(to)
}
