/** Reads a merchant's withdrawal as the API shows it. */

import type { Queryable } from '../../db/connect.js'
import { readWithdrawalView } from '../../db/payouts/withdrawals/read-withdrawal-view.js'
import type { Networks } from '../../domain/chain/network.js'
import type { Withdrawal } from '../../wire/withdrawal.js'
import { notFound } from '../http/not-found.js'

/** Returns the withdrawal. @throws KeyturnError `NOT_FOUND` if it is unknown or another merchant's. */
export async function readOwnWithdrawal(
  sql: Queryable,
  networks: Networks,
  merchantId: string,
  id: string,
): Promise<Withdrawal> {
  const view = await readWithdrawalView(sql, networks, id, merchantId)
  if (!view) throw notFound('withdrawal', id)
  return view
}
