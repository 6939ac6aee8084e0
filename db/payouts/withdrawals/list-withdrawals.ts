/** Lists a merchant's withdrawals, newest first. */

import {
  WITHDRAWAL_STAGES,
  WITHDRAWAL_STATUS,
  type WithdrawalStatus,
} from '../../../domain/payouts/withdrawal-stage.js'
import type { Queryable } from '../../connect.js'
import { idFrom, idTo } from '../../id-range.js'
import { mergeCoins, pageOf } from '../../page-of.js'
import type { Slice } from '../../slice.js'
import { mergeStages } from '../merge-stages.js'
import { type WithdrawalViewRow, withdrawalViewQuery } from './read-withdrawal-view.js'

export interface WithdrawalFilter {
  readonly status?: WithdrawalStatus | undefined
  readonly network?: string | undefined
  readonly coin?: string | undefined
  readonly userReference?: string | undefined
  readonly externalId?: string | undefined
  /** Created at or after this time. */
  readonly from?: Date | undefined
  /** Created before this time. */
  readonly to?: Date | undefined
}

/** Lists by id, which begins with the time of creation. */
export async function listWithdrawals(
  sql: Queryable,
  merchantId: string,
  filter: WithdrawalFilter,
  slice: Slice,
): Promise<WithdrawalViewRow[]> {
  const where = sql`
    withdrawal.merchant_id = ${merchantId} AND withdrawal.kind = 'withdrawal' ${narrowWithdrawals(sql, filter)}`
  const found = filter.userReference !== undefined || filter.externalId !== undefined
  const merge =
    mergeStages(sql, filter.status, 'withdrawal') ??
    (found ? undefined : mergeCoins(sql, merchantId, filter, 'withdrawal'))
  const page = pageOf(sql, { table: sql`payouts`, name: 'withdrawal', where, merge }, slice)
  return await sql<WithdrawalViewRow[]>`${withdrawalViewQuery(sql, page)} ORDER BY withdrawal.id DESC`
}

/** Returns the conditions of a filter, to which the caller adds those of the merchant and the kind. */
export function narrowWithdrawals(sql: Queryable, filter: WithdrawalFilter) {
  const stages = WITHDRAWAL_STAGES.filter((stage) => WITHDRAWAL_STATUS[stage] === filter.status)
  return sql`
    ${filter.status === undefined ? sql`` : sql`AND withdrawal.stage = ANY (${stages})`}
    ${filter.network === undefined ? sql`` : sql`AND withdrawal.network = ${filter.network}`}
    ${filter.coin === undefined ? sql`` : sql`AND withdrawal.coin = ${filter.coin}`}
    ${filter.userReference === undefined ? sql`` : sql`AND withdrawal.user_reference = ${filter.userReference}`}
    ${filter.externalId === undefined ? sql`` : sql`AND withdrawal.external_id = ${filter.externalId}`}
    ${filter.from === undefined ? sql`` : sql`AND withdrawal.id >= ${idFrom('withdrawal', filter.from)} AND withdrawal.created_at >= ${filter.from}`}
    ${filter.to === undefined ? sql`` : sql`AND withdrawal.id < ${idTo('withdrawal', filter.to)} AND withdrawal.created_at < ${filter.to}`}`
}
