/** Returns what a movement brings to its destination: the other side of what left. */

import { isMovement } from '../../../domain/payouts/treasury.js'
import type { Transaction } from '../../connect.js'
import type { PayoutRow } from '../payout-row.js'
import type { Outflow } from '../withdrawal-journals.js'

/** Returns the inflow of a movement that was paid, as a negative outflow. Empty for payouts to outsiders. */
export async function movementInflows(
  tx: Transaction,
  row: Pick<PayoutRow, 'id' | 'kind' | 'merchant_id' | 'network' | 'to_address'>,
  paid: { readonly coin: string; readonly amount: bigint },
): Promise<Outflow[]> {
  if (!isMovement(row.kind)) return []
  const [destination] = await tx<{ id: string }[]>`
    SELECT id FROM addresses
    WHERE network = ${row.network} AND address = ${row.to_address} AND merchant_id = ${row.merchant_id}`
  if (!destination) throw new Error(`${row.id} went to ${row.to_address}, which is no wallet of its merchant`)
  return [{ addressId: destination.id, coin: paid.coin, amount: -paid.amount }]
}
