/**
 * One firing of a withdrawal schedule, started by its Temporal Schedule: asks for the withdrawal of its
 * nominal time.
 */

import { defineSearchAttributeKey } from '@temporalio/common'
import { proxyActivities, setCurrentDetails, workflowInfo } from '@temporalio/workflow'
import type { Firing, ScheduledWithdrawalActivities } from '../activities/payouts/scheduled-withdrawal.js'
import { assertNever } from '../domain/assert-never.js'
import type { ScheduledWithdrawalInput } from '../temporal/inputs.js'

/** Temporal's own: the time for which a Schedule started this, also when it was late or filled in. */
const SCHEDULED_START_TIME = defineSearchAttributeKey('TemporalScheduledStartTime', 'DATETIME')

/** Ends when the firing is recorded; the withdrawal has a workflow of its own. */
export async function scheduledWithdrawal({
  id,
  nominalAt: missed,
}: ScheduledWithdrawalInput): Promise<Firing> {
  const info = workflowInfo()
  // Started by hand it has no such time: its own start is its key then.
  const nominalAt =
    missed === undefined
      ? (info.typedSearchAttributes.get(SCHEDULED_START_TIME) ?? info.startTime)
      : new Date(missed)
  // Until it is done: a database that is away makes it late, never lost.
  const { fireSchedule } = proxyActivities<ScheduledWithdrawalActivities>({
    startToCloseTimeout: '30s',
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m' },
    summary: `Asks for the withdrawal of ${nominalAt.toISOString()}`,
  })
  const firing = await fireSchedule(id, nominalAt.toISOString())
  setCurrentDetails(`Firing of **${id}** for ${nominalAt.toISOString()}\n\n${describe(firing)}`)
  return firing
}

function describe(firing: Firing): string {
  switch (firing.outcome) {
    case 'created':
      return `Asked for ${firing.withdrawalId}`
    case 'refused':
      return `Refused: ${firing.code}: ${firing.message}`
    case 'idle':
      return 'Nothing was asked for: the schedule is paused, over or removed'
    default:
      return assertNever(firing)
  }
}
