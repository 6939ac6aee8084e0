/**
 * A change of a merchant's controls, from its request until it takes effect: two people, then the cool-down.
 * The row is the truth.
 */

import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow'
import type { ControlChangeActivities } from '../activities/controls/control-change.js'
import type { SettlementActivities } from '../activities/controls/settlement.js'
import type { ControlChangeState } from '../domain/controls/control-change.js'
import type { ControlChangeInput } from '../temporal/inputs.js'
import { followControlChange } from './follow-control-change.js'

// No step is ever given up: it is retried until it succeeds.
const { advanceControlChange } = proxyLocalActivities<ControlChangeActivities>({
  startToCloseTimeout: '10s',
  localRetryThreshold: '10s',
  retry: { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '1m' },
})

const { wakeResumed } = proxyActivities<SettlementActivities>({
  startToCloseTimeout: '1m',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m' },
})

/** Follows one change of the policy. */
export async function policyChange(input: ControlChangeInput): Promise<ControlChangeState> {
  return followControlChange(input, 'Change of the policy', advanceControlChange)
}

/** Follows one whitelist entry, until it is active or can no longer become so. */
export async function whitelist(input: ControlChangeInput): Promise<ControlChangeState> {
  return followControlChange(input, 'Whitelist entry', advanceControlChange)
}

/**
 * Follows the release of a held deposit, until two people have approved it or it can no longer be approved.
 */
export async function depositRelease(input: ControlChangeInput): Promise<ControlChangeState> {
  return followControlChange(input, 'Release of a deposit', advanceControlChange)
}

/**
 * Follows the resolution of an exception by a journal, until two people have approved it or it can no longer be
 * approved.
 */
export async function exceptionResolution(input: ControlChangeInput): Promise<ControlChangeState> {
  return followControlChange(input, 'Resolution of an exception', advanceControlChange)
}

/** Follows the resumption, and wakes the payouts that waited for it. */
export async function settlementResume(input: ControlChangeInput): Promise<ControlChangeState> {
  const state = await followControlChange(input, 'Resumption of settlement', advanceControlChange)
  if (state === 'effective') await wakeResumed()
  return state
}
