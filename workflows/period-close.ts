/** The close of a period, and its re-opening, from the request until two people have approved it or it ends otherwise. */

import { proxyActivities } from '@temporalio/workflow'
import type { PeriodActivities } from '../activities/books/period-close.js'
import type { ControlChangeState } from '../domain/controls/control-change.js'
import type { ControlChangeInput } from '../temporal/inputs.js'
import { followControlChange } from './follow-control-change.js'

// Summing large books takes longer than a local activity may. No step is ever given up.
const { advancePeriod } = proxyActivities<PeriodActivities>({
  startToCloseTimeout: '1h',
  heartbeatTimeout: '15s',
  retry: { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '1m' },
})

/** Follows the close of a period. */
export async function periodClose(input: ControlChangeInput): Promise<ControlChangeState> {
  return followControlChange(input, 'Close of a period', advancePeriod)
}

/** Follows the re-opening of a period. */
export async function periodReopen(input: ControlChangeInput): Promise<ControlChangeState> {
  return followControlChange(input, 'Re-opening of a period', advancePeriod)
}
