/** Lists a merchant's movements between its own wallets, newest first. */

import type { MovementKind } from '../../../domain/payouts/treasury.js'
import type { WithdrawalStatus } from '../../../domain/payouts/withdrawal-stage.js'
import type { Queryable } from '../../connect.js'
import { mergeCoins, pageOf } from '../../page-of.js'
import type { Slice } from '../../slice.js'
import { mergeStages } from '../merge-stages.js'
import { type WithdrawalViewRow, withdrawalViewQuery } from '../withdrawals/read-withdrawal-view.js'

export interface MovementFilter {
  readonly kind?: MovementKind | undefined
  readonly status?: WithdrawalStatus | undefined
  readonly network?: string | undefined
  readonly coin?: string | undefined
}

/** Lists by id, which begins with the time of creation. */
export async function listMovements(
  sql: Queryable,
  merchantId: string,
  filter: MovementFilter,
  slice: Slice,
): Promise<WithdrawalViewRow[]> {
  const { kind, status, network, coin } = filter
  const where = sql`
    each.merchant_id = ${merchantId} AND each.kind IN ('consolidation', 'gas_funding', 'rebalance')
    ${kind === undefined ? sql`` : sql`AND each.kind = ${kind}`}
    ${status === 'confirmed' ? sql`AND each.stage = 'confirmed'` : sql``}
    ${network === undefined ? sql`` : sql`AND each.network = ${network}`}
    ${coin === undefined ? sql`` : sql`AND each.coin = ${coin}`}`
  const merge =
    mergeStages(sql, status) ?? (kind === undefined ? mergeCoins(sql, merchantId, filter) : undefined)
  const page = pageOf(sql, { table: sql`payouts`, name: 'each', where, merge }, slice)
  return await sql<WithdrawalViewRow[]>`${withdrawalViewQuery(sql, page)} ORDER BY withdrawal.id DESC`
}
