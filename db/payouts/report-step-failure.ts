/** Shows an unexpected error of a step on its payout, and raises an alert. */

import { inTransaction, type Sql } from '../connect.js'
import { raiseAlert } from '../operations/alerts/raise-alert.js'
import type { PayoutRow } from './payout-row.js'
import { setWaiting } from './set-waiting.js'

/** Age at which an error whose cause may pass raises an alert. */
const PASSING_MS = 120_000

/** Stores the reason as `waiting`, and raises `withdrawal.step_failed` once while it lasts. */
export async function reportStepFailure(
  sql: Sql,
  id: string,
  failure: { readonly code: string; readonly message: string; readonly retryable: boolean },
): Promise<void> {
  await inTransaction(sql, async (tx) => {
    await setWaiting(tx, id, failure)
    const [row] = await tx<Pick<PayoutRow, 'merchant_id' | 'network' | 'coin' | 'stage' | 'waiting'>[]>`
      SELECT merchant_id, network, coin, stage, waiting FROM payouts WHERE id = ${id}`
    // A payout at its end waits for nothing.
    if (row?.waiting?.code !== failure.code) return
    if (failure.retryable && Date.now() - Date.parse(row.waiting.since) < PASSING_MS) return
    await raiseAlert(tx, {
      merchantId: row.merchant_id,
      kind: 'withdrawal.step_failed',
      severity: 'critical',
      subject: id,
      facts: { message: failure.message, stage: row.stage, network: row.network, coin: row.coin },
    })
  })
}
