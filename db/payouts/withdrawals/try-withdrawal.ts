/** Makes every check of a withdrawal, and stores nothing. */

import type { Networks } from '../../../domain/chain/network.js'
import { inTransaction, type Sql } from '../../connect.js'
import type { PayoutRow } from '../payout-row.js'
import { createWithdrawal, type NewWithdrawal } from './create-withdrawal.js'

/** Thrown to roll the transaction back. It carries the row that would have been stored. */
class Tried extends Error {
  constructor(readonly row: PayoutRow) {
    super('The withdrawal passes every check')
  }
}

/**
 * Creates the withdrawal and rolls it back, so that the checks are always those of the withdrawal itself.
 *
 * @returns The row that would have been stored, with its fee.
 * @throws KeyturnError What `createWithdrawal` throws.
 */
export async function tryWithdrawal(
  sql: Sql,
  networks: Networks,
  request: NewWithdrawal,
): Promise<PayoutRow> {
  try {
    return await inTransaction(sql, async (tx) => {
      const { row } = await createWithdrawal(tx, networks, request)
      throw new Tried(row)
    })
  } catch (error) {
    if (error instanceof Tried) return error.row
    throw error
  }
}
