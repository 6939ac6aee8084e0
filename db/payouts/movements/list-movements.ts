/** Lists a merchant's movements between its own wallets, newest first. */

import type { MovementKind } from '../../../domain/payouts/treasury.js'
import {
  WITHDRAWAL_STAGES,
  WITHDRAWAL_STATUS,
  type WithdrawalStatus,
} from '../../../domain/payouts/withdrawal-stage.js'
import type { Queryable } from '../../connect.js'
import type { Slice } from '../../slice.js'
import { type WithdrawalViewRow, withdrawalViewQuery } from '../withdrawals/read-withdrawal-view.js'

export interface MovementFilter {
  readonly kind?: MovementKind | undefined
  readonly status?: WithdrawalStatus | undefined
  readonly network?: string | undefined
  readonly coin?: string | undefined
}

/** Lists by id, which sorts by time of creation; index `withdrawals_movements`. */
export async function listMovements(
  sql: Queryable,
  merchantId: string,
  filter: MovementFilter,
  slice: Slice,
): Promise<WithdrawalViewRow[]> {
  const stages = WITHDRAWAL_STAGES.filter((stage) => WITHDRAWAL_STATUS[stage] === filter.status)
  return await sql<WithdrawalViewRow[]>`
    ${withdrawalViewQuery(sql)}
    WHERE withdrawal.merchant_id = ${merchantId} AND withdrawal.kind IN ('consolidation', 'gas_funding', 'rebalance')
      ${slice.before === null ? sql`` : sql`AND withdrawal.id < ${slice.before}`}
      ${filter.kind === undefined ? sql`` : sql`AND withdrawal.kind = ${filter.kind}`}
      ${filter.status === undefined ? sql`` : sql`AND withdrawal.stage = ANY (${stages})`}
      ${filter.network === undefined ? sql`` : sql`AND withdrawal.network = ${filter.network}`}
      ${filter.coin === undefined ? sql`` : sql`AND withdrawal.coin = ${filter.coin}`}
    ORDER BY withdrawal.id DESC OFFSET ${slice.offset} LIMIT ${slice.take}`
}
