/** Lists the statuses of a whitelist entry, and the status for each state of its change. */

import type { ControlChangeState } from './control-change.js'

export const WHITELIST_STATUSES = [
  'pending_approval',
  'cooling_down',
  'active',
  'rejected',
  'expired',
  'removed',
] as const
export type WhitelistStatus = (typeof WHITELIST_STATUSES)[number]

/** Status of an entry for each state of its change. An entry is one field, so it is never superseded. */
export const WHITELIST_STATUS: Readonly<Record<ControlChangeState, WhitelistStatus>> = {
  pending_approval: 'pending_approval',
  cooling_down: 'cooling_down',
  effective: 'active',
  superseded: 'removed',
  rejected: 'rejected',
  expired: 'expired',
  revoked: 'removed',
}
