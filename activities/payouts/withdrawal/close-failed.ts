/** Ends a payout that can never be paid, before anything was signed. */

import { inTransaction } from '../../../db/connect.js'
import { closeUnpaid, type UnpaidEnd } from '../../../db/payouts/close-unpaid.js'
import { lockWithdrawal } from '../../../db/payouts/payout-row.js'
import { canWithdrawalMove } from '../../../domain/payouts/withdrawal-stage.js'
import type { WithdrawalChainDependencies } from './dependencies.js'

/**
 * Moves the payout to `failed` (or `to`) and releases the hold. Does nothing if it has reached another stage
 * meanwhile.
 */
export async function closeFailed(
  { sql, networks }: WithdrawalChainDependencies,
  id: string,
  failure: { readonly code: string; readonly message: string },
  options: Partial<Pick<UnpaidEnd, 'to' | 'actor' | 'answered' | 'audit'>> = {},
): Promise<void> {
  await inTransaction(sql, async (tx) => {
    const row = await lockWithdrawal(tx, id)
    const to = options.to ?? 'failed'
    if (!canWithdrawalMove(row.stage, to)) return
    await closeUnpaid(tx, networks, row, {
      actor: 'system:withdrawal',
      ...options,
      to,
      failure: { code: failure.code, message: failure.message },
    })
  })
}
