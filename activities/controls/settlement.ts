/** The activity of a resumption of settlement: it wakes the payouts that waited for it. */

import type { Sql } from '../../db/connect.js'
import { listResumed } from '../../db/controls/pauses/list-resumed.js'
import type { WorkflowGate } from '../../temporal/workflow-gate.js'
import { wakePayouts } from '../operations/wake-payouts.js'

export interface SettlementActivities {
  /** Wakes payouts that no pause stops any more. Those that it leaves out, the sweeper wakes. */
  wakeResumed(): Promise<number>
}

/** Creates the activity. It may run twice, because a payout that is woken for nothing looks at its row. */
export function createSettlementActivities(deps: {
  readonly sql: Sql
  readonly gate: Pick<WorkflowGate, 'signal'>
}): SettlementActivities {
  return { wakeResumed: () => wakePayouts(deps, () => listResumed(deps.sql)) }
}
