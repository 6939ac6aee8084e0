/** The end of a pause of settlement, from its request until two people have approved it or it ends otherwise. */

import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow'
import type { ControlChangeActivities } from '../activities/controls/control-change.js'
import type { SettlementActivities } from '../activities/controls/settlement.js'
import type { ControlChangeState } from '../domain/controls/control-change.js'
import type { ControlChangeInput } from '../temporal/inputs.js'
import { followControlChange } from './follow-control-change.js'

const { advanceControlChange } = proxyLocalActivities<ControlChangeActivities>({
  startToCloseTimeout: '10s',
  localRetryThreshold: '10s',
  retry: { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '1m' },
})
const { wakeResumed } = proxyActivities<SettlementActivities>({
  startToCloseTimeout: '1m',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m' },
})

/** Follows the resumption, and wakes the payouts that waited for it. */
export async function settlementResume(input: ControlChangeInput): Promise<ControlChangeState> {
  const state = await followControlChange(input, 'Resumption of settlement', advanceControlChange)
  if (state === 'effective') await wakeResumed()
  return state
}
