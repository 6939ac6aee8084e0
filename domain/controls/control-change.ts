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

/** States in which a change waits for people or for its time. Queries write the set with `members` of `db/members.ts`. */
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
