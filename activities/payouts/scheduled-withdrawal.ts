/** The step of one firing of a withdrawal schedule: an activity on the queue `core`. */

import type { Sql } from '../../db/connect.js'
import { markWithdrawalStarted } from '../../db/payouts/mark-withdrawal-started.js'
import { readWithdrawalInput } from '../../db/payouts/read-withdrawal-input.js'
import { type Firing, fireSchedule } from '../../db/payouts/schedules/fire-schedule.js'
import type { Networks } from '../../domain/chain/network.js'
import type { WorkflowGate } from '../../temporal/workflow-gate.js'

export interface ScheduledWithdrawalDependencies {
  readonly sql: Sql
  readonly networks: Networks
  readonly gate: Pick<WorkflowGate, 'startWithdrawal'>
  /** `KEYTURN_WITHDRAWAL_EXPIRY`, in milliseconds. */
  readonly expiryMs: number
  /** Whether a screening service checks destinations. */
  readonly screen?: boolean
}

export type { Firing }

export interface ScheduledWithdrawalActivities {
  /** @param nominalAt - ISO 8601 UTC. */
  fireSchedule(id: string, nominalAt: string): Promise<Firing>
}

/**
 * Creates the activity. It may run again: the firing's row says what was done, and a withdrawal's workflow
 * starts once.
 */
export function createScheduledWithdrawalActivities({
  sql,
  networks,
  gate,
  expiryMs,
  screen = false,
}: ScheduledWithdrawalDependencies): ScheduledWithdrawalActivities {
  return {
    async fireSchedule(id, nominalAt) {
      const firing = await fireSchedule(sql, networks, id, new Date(nominalAt), { expiryMs, screen })
      if (firing.outcome !== 'created') return firing
      const input = await readWithdrawalInput(sql, networks, firing.withdrawalId)
      if (input) {
        await gate.startWithdrawal(input)
        await markWithdrawalStarted(sql, input.id)
      }
      return firing
    },
  }
}
