import { canDepositMove, type DepositStatus } from '../../domain/deposits/deposit-status.js'
import type { DepositRow } from './deposit-row.js'

/**
 * The row in its next status, with the history's new line; nothing is written yet (`saveDeposits` does).
 *
 * @param changes - Columns that change with the status.
 * @throws Error when the states have no such way: a defect, never an answer.
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
