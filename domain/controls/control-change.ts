/**
 * Lists the states of a control change (policy, whitelist entry, release of a deposit, resolution of an exception,
 * close or re-opening of a period, resumption of settlement) and its transitions.
 */

export const CONTROL_CHANGE_STATES = [
  'pending_approval',
  'cooling_down',
  'effective',
  'superseded',
  'rejected',
  'expired',
  'revoked',
] as const

export type ControlChangeState = (typeof CONTROL_CHANGE_STATES)[number]

export type ControlChangeKind =
  | 'policy'
  | 'whitelist'
  | 'deposit_release'
  | 'exception_resolution'
  | 'period_close'
  | 'period_reopen'
  | 'settlement_resume'

/**
 * Transitions of a control change.
 *
 * ```
 * pending_approval ─┬─► cooling_down ─┬─► effective ──► revoked
 *                   │                 └─► superseded
 *                   ├─► effective
 *                   ├─► superseded
 *                   └─► rejected, expired
 * pending_approval, cooling_down ──► revoked
 * ```
 *
 * - `cooling_down`: approved, and the fields that loosen the rules wait for their time.
 * - `superseded`: its time came, and a stricter change had replaced some of its fields. Those stay as they are.
 * - `effective` becomes `revoked` when a whitelist entry is removed. An effective policy changes only by another
 *   change.
 */
export const CONTROL_CHANGE_TRANSITIONS: Readonly<Record<ControlChangeState, readonly ControlChangeState[]>> =
  {
    pending_approval: ['cooling_down', 'effective', 'superseded', 'rejected', 'expired', 'revoked'],
    cooling_down: ['effective', 'superseded', 'revoked'],
    effective: ['revoked'],
    superseded: [],
    rejected: [],
    expired: [],
    revoked: [],
  }

/** States in which a change waits for people or for its time. Queries write the set with `members`. */
export const OPEN_CONTROL_CHANGES: Readonly<Record<ControlChangeState, boolean>> = {
  pending_approval: true,
  cooling_down: true,
  effective: false,
  superseded: false,
  rejected: false,
  expired: false,
  revoked: false,
}

/** Returns whether a change waits for nothing any more. */
export function isControlChangeSettled(state: ControlChangeState): boolean {
  return !OPEN_CONTROL_CHANGES[state]
}
