/** Moves a deposit's row to its next status. */

import { canDepositMove, type DepositStatus } from '../../domain/deposits/deposit-status.js'
import type { DepositRow } from './deposit-row.js'

/**
 * Returns the row in its next status, with the new line of its history. `saveDeposits` writes it.
 *
 * @param changes - Columns that change with the status.
 * @throws Error if the table has no such transition, which is a defect.
 */
export function moveDeposit(
  row: DepositRow,
  to: DepositStatus,
  at: Date,
  cause: string,
  changes: Partial<DepositRow> = {},
): DepositRow {
  if (!canDepositMove(row.status, to))
    throw new Error(`Deposit ${row.id} cannot go from ${row.status} to ${to}`)
  return {
    ...row,
    ...changes,
    status: to,
    updated_at: at,
    history: [...row.history, { status: to, at: at.toISOString(), cause }],
  }
}
