/** The states of what two people approve besides payments (policy, whitelist, the release of a deposit) and the only ways between them. */

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

export type ControlChangeKind = 'policy' | 'whitelist' | 'deposit_release'

/**
 * `cooling_down`: approved, and what loosens waits for its time. `superseded`: its time came, and something stricter had taken the
 * place of some of its fields meanwhile; those stay as they are. `effective` → `revoked` is the removal of a whitelist
 * entry; a policy that holds is only changed by another change.
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

/** Whether nobody has to do or wait for anything any more. */
export function isControlChangeSettled(state: ControlChangeState): boolean {
  return state !== 'pending_approval' && state !== 'cooling_down'
}
