/**
 * Sends a withdrawal back to a reviewer when its destination came onto the sanctions list after it was
 * requested.
 */

import type { Networks } from '../../domain/chain/network.js'
import { LISTED_LATER, listedLater } from '../../domain/controls/risk.js'
import { inTransaction, json, type Sql } from '../connect.js'
import { findNewlyListed } from '../controls/sanctions/find-newly-listed.js'
import { raiseAlert } from '../operations/alerts/raise-alert.js'
import { movePayout } from './move-payout.js'
import { lockWithdrawal } from './payout-row.js'

/**
 * Moves building → pending_review and keeps the hold and the approvals. Removes an earlier review, which was
 * about something else. Marks the destination as listed in the risk, so that the same entry is not found
 * again once a reviewer has accepted it.
 *
 * @returns Whether it was sent back: then nothing is built.
 */
export async function holdListed(sql: Sql, networks: Networks, id: string): Promise<boolean> {
  return inTransaction(sql, async (tx) => {
    const row = await lockWithdrawal(tx, id)
    if (row.stage !== 'building') return false
    if (row.kind !== 'withdrawal' || !(await findNewlyListed(tx, [id])).has(id)) return false
    const risk = listedLater(row.risk)
    await tx`
      UPDATE payouts SET risk = ${json(tx, risk)}, review_required = true, review = NULL WHERE id = ${id}`
    await movePayout(tx, networks, row, {
      to: 'pending_review',
      actor: 'system:withdrawal',
      cause: LISTED_LATER,
      audit: { reason: LISTED_LATER, to_address: row.to_address, risk, earlier_review: row.review },
    })
    await raiseAlert(tx, {
      merchantId: row.merchant_id,
      kind: 'withdrawal.sanctioned',
      severity: 'critical',
      subject: id,
      facts: {
        message: `${LISTED_LATER}; it waits for a review`,
        stage: 'pending_review',
        network: row.network,
        coin: row.coin,
        to_address: row.to_address,
      },
    })
    return true
  })
}
