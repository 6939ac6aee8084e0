/** Takes back a request that no signer has claimed, so that its transaction is built again. */

import type { Networks } from '../../domain/chain/network.js'
import { inTransaction, type Sql } from '../connect.js'
import { abandonAttempt } from './attempts/abandon-attempt.js'
import { movePayout } from './move-payout.js'
import { lockWithdrawal } from './payout-row.js'

/**
 * Moves a withdrawal back to `building`: its next attempt offers today's fees, and its destination is checked
 * against today's sanctions list. Does nothing once a signer holds the request.
 *
 * @param cause - Shown in `history`.
 */
export async function rebuildWithdrawal(
  sql: Sql,
  networks: Networks,
  id: string,
  cause = 'built again: no signer had claimed it',
): Promise<void> {
  await inTransaction(sql, async (tx) => {
    const row = await lockWithdrawal(tx, id)
    if (row.stage !== 'pending_signature' || !(await abandonAttempt(tx, id))) return
    await movePayout(tx, networks, row, {
      to: 'building',
      actor: 'system:withdrawal',
      cause,
    })
  })
}
