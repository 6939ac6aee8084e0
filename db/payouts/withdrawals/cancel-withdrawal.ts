/** Cancels a withdrawal that is not signed yet. The row's lock decides the race with the signer. */

import type { Networks } from '../../../domain/chain/network.js'
import { KeyturnError } from '../../../domain/errors.js'
import { canWithdrawalMove } from '../../../domain/payouts/withdrawal-stage.js'
import { inTransaction, type Sql } from '../../connect.js'
import { closeUnpaid } from '../close-unpaid.js'
import { lockWithdrawal } from '../payout-row.js'
import { withdrawalNotFound } from './find-withdrawal.js'

/**
 * Cancels the withdrawal and releases the hold.
 *
 * @throws KeyturnError `NOT_FOUND`; `WITHDRAWAL_NOT_CANCELLABLE` once a signer has it, and at every end.
 */
export async function cancelWithdrawal(
  sql: Sql,
  networks: Networks,
  request: { readonly merchantId: string; readonly id: string; readonly actor: string },
): Promise<void> {
  await inTransaction(sql, async (tx) => {
    const [own] = await tx`
      SELECT 1 FROM payouts WHERE id = ${request.id} AND merchant_id = ${request.merchantId} AND kind = 'withdrawal'`
    if (!own) throw withdrawalNotFound(request.id)
    const row = await lockWithdrawal(tx, request.id)
    const cancelled =
      canWithdrawalMove(row.stage, 'cancelled') &&
      (await closeUnpaid(tx, networks, row, { to: 'cancelled', actor: request.actor }))
    if (cancelled) return
    throw new KeyturnError(
      'WITHDRAWAL_NOT_CANCELLABLE',
      row.stage === 'pending_signature'
        ? 'The signer has this withdrawal and may have signed it, so it can no longer be cancelled'
        : `A withdrawal in stage ${row.stage} can no longer be cancelled`,
      { details: { id: row.id, stage: row.stage } },
    )
  })
}
