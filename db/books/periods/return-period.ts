/** Opens a period again whose close was rejected, expired or refused. */

import type { Transaction } from '../../connect.js'
import type { PeriodCloseRow } from '../../controls/changes/control-change-row.js'
import { lockPeriods } from './period-row.js'
import { setFence } from './set-fence.js'

/** Makes the period what it was before the request. What the checklist found stays, for people to read. */
export async function returnPeriod(tx: Transaction, change: PeriodCloseRow): Promise<void> {
  const { merchant_id: merchantId } = change
  await lockPeriods(tx, merchantId)
  await tx`
    UPDATE periods SET status = 'open', trial_balance = NULL, proof = NULL, hash = NULL, updated_at = clock_timestamp()
    WHERE merchant_id = ${merchantId} AND period = ${change.intent.period} AND change_id = ${change.id}
      AND status = 'closing'`
  await setFence(tx, merchantId)
}
