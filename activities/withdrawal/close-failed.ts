/** Ends a withdrawal that can never be paid, before anything was signed. */

import { closeUnpaid, type UnpaidEnd } from '../../db/withdrawals/close-unpaid.js'
import { lockWithdrawal } from '../../db/withdrawals/withdrawal-row.js'
import { canWithdrawalMove } from '../../domain/withdrawal-stage.js'
import type { WithdrawalChainDependencies } from './dependencies.js'

/** Failed (or `to`), with the hold released; nothing when it is at another stage meanwhile. */
export async function closeFailed(
  { sql, networks }: WithdrawalChainDependencies,
  id: string,
  failure: { readonly code: string; readonly message: string },
  options: Partial<Pick<UnpaidEnd, 'to' | 'actor' | 'answered' | 'audit'>> = {},
): Promise<void> {
  await sql.begin(async (tx) => {
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
