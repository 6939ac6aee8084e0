/**
 * One firing of a withdrawal schedule, started by its Temporal Schedule: requests the withdrawal of its
 * nominal time.
 */

import { defineSearchAttributeKey } from '@temporalio/common'
import { proxyActivities, setCurrentDetails, workflowInfo } from '@temporalio/workflow'
import type { Firing, ScheduledWithdrawalActivities } from '../activities/payouts/scheduled-withdrawal.js'
import { assertNever } from '../domain/assert-never.js'
import type { ScheduledWithdrawalInput } from '../temporal/inputs.js'

/**
 * Temporal's own attribute: the time for which a Schedule started this run, also when it was late or filled
 * in.
 */
const SCHEDULED_START_TIME = defineSearchAttributeKey('TemporalScheduledStartTime', 'DATETIME')

/** Ends when the firing is stored. The withdrawal has a workflow of its own. */
export async function scheduledWithdrawal({
  id,
  nominalAt: missed,
}: ScheduledWithdrawalInput): Promise<Firing> {
  const info = workflowInfo()
  // A run that a person started has no such time. Its own start is its key then.
  const nominalAt =
    missed === undefined
      ? (info.typedSearchAttributes.get(SCHEDULED_START_TIME) ?? info.startTime)
      : new Date(missed)
  // The step is retried until it succeeds: a database that is away makes the withdrawal late, but never loses
  // it.
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
      return 'Nothing was requested: the schedule is paused, over or removed'
    default:
      return assertNever(firing)
  }
}
