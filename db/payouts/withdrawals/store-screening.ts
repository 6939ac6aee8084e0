/** Stores the screening service's answer about a withdrawal's destination, and acts on it. */

import type { Networks } from '../../../domain/chain/network.js'
import type { ScreeningResult } from '../../../domain/controls/screening-result.js'
import { appendAudit } from '../../audit/append-audit.js'
import { inTransaction, type Sql } from '../../connect.js'
import { closeUnpaid } from '../close-unpaid.js'
import { lockWithdrawal } from '../payout-row.js'

/** Stores the first answer. A second one, and one that comes too late, changes nothing. */
export async function storeScreening(
  sql: Sql,
  networks: Networks,
  id: string,
  { result, reason, reference }: ScreeningResult,
): Promise<void> {
  await inTransaction(sql, async (tx) => {
    const row = await lockWithdrawal(tx, id)
    if (row.stage !== 'requested' || row.screening?.state !== 'pending') return
    const screening = { state: result, reason, reference, at: new Date().toISOString() }
    await tx`
      UPDATE payouts SET screening = ${tx.json(screening)}, waiting = NULL, updated_at = clock_timestamp(),
                             review_required = review_required OR ${result === 'review'}
      WHERE id = ${id}`
    await appendAudit(tx, {
      merchantId: row.merchant_id,
      actor: 'system:screening',
      action: `withdrawal.screened`,
      subject: id,
      data: { screening, to_address: row.to_address },
    })
    if (result !== 'rejected') return
    await closeUnpaid(tx, networks, row, {
      to: 'failed',
      actor: 'system:screening',
      failure: {
        code: 'REJECTED_BY_SCREENING',
        message: `The screening service rejected the destination${reason === null ? '' : `: ${reason}`}`,
      },
    })
  })
}
