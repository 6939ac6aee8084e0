/** Says whether the reconciliation has ended that a close waits for. */

import type { Transaction } from '../../connect.js'
import type { PeriodCloseRow } from '../../controls/changes/control-change-row.js'

/** Returns whether it has ended, in whichever way. What it found is an item of the checklist. */
export async function isReconciled(tx: Transaction, change: PeriodCloseRow): Promise<boolean> {
  const [running] = await tx`
    SELECT 1 FROM periods JOIN reconciliation_runs run ON run.id = periods.run_id
    WHERE periods.merchant_id = ${change.merchant_id} AND periods.period = ${change.intent.period}
      AND periods.change_id = ${change.id} AND run.status = 'running'`
  return !running
}
