/** Starts to build a payout: approved → building. */

import type { Networks } from '../../domain/chain/network.js'
import { inTransaction, type Sql } from '../connect.js'
import { movePayout } from './move-payout.js'
import { lockWithdrawal, type PayoutRow } from './payout-row.js'

/**
 * @returns The row to build for. `null` when there is nothing to build (any more): it was cancelled, or its
 * request is at the signer already.
 */
export async function startBuilding(sql: Sql, networks: Networks, id: string): Promise<PayoutRow | null> {
  return inTransaction(sql, async (tx) => {
    const row = await lockWithdrawal(tx, id)
    if (row.stage === 'building') return row
    if (row.stage !== 'approved') return null
    return movePayout(tx, networks, row, { to: 'building', actor: 'system:withdrawal' })
  })
}
