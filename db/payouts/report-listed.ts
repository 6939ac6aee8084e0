/** Raises an alert about a payout that is sent already and whose destination came onto the sanctions list. */

import { SENT_PAYOUTS } from '../../domain/payouts/stage-sets.js'
import { inTransaction, type Sql } from '../connect.js'
import { raiseAlert } from '../operations/alerts/raise-alert.js'
import { lockWithdrawal } from './payout-row.js'

/**
 * Raises the alert once while it lasts.
 *
 * @param message - What becomes of the payout, and what a person can do.
 */
export async function reportListed(
  sql: Sql,
  id: string,
  addresses: ReadonlySet<string>,
  message: string,
): Promise<void> {
  await inTransaction(sql, async (tx) => {
    const row = await lockWithdrawal(tx, id)
    if (!SENT_PAYOUTS[row.stage]) return
    await raiseAlert(tx, {
      merchantId: row.merchant_id,
      kind: 'withdrawal.sanctioned',
      severity: 'critical',
      subject: id,
      facts: {
        message,
        stage: row.stage,
        network: row.network,
        coin: row.coin,
        addresses: [...addresses].sort(),
        transaction_hash: row.transaction_hash,
      },
    })
  })
}
