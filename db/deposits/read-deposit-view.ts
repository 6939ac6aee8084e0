/** Reads a deposit as the API shows it, for a caller that acts for no merchant. */

import { findNetwork, type Networks } from '../../domain/chain/network.js'
import type { Queryable } from '../connect.js'
import { readCursor } from '../networks/chain-cursor.js'
import { type DepositRow, selectDeposits } from './deposit-row.js'
import { depositView } from './deposit-view.js'

/** Returns the view and its merchant. @throws Error if there is no such deposit. */
export async function readDepositView(sql: Queryable, networks: Networks, id: string) {
  const [row] = await sql<DepositRow[]>`${selectDeposits(sql)} WHERE deposit.id = ${id}`
  if (!row) throw new Error(`There is no deposit ${id}`)
  const height = (await readCursor(sql, row.network))?.height ?? null
  return { merchantId: row.merchant_id, view: depositView(findNetwork(networks, row.network), row, height) }
}
