/** Lists a merchant's deposits, newest first. */

import type { DepositStatus } from '../../domain/deposits/deposit-status.js'
import type { Queryable } from '../connect.js'
import type { Slice } from '../slice.js'
import { type DepositRow, selectDeposits } from './deposit-row.js'

export interface DepositFilter {
  readonly userReference?: string | undefined
  readonly network?: string | undefined
  readonly coin?: string | undefined
  readonly status?: DepositStatus | undefined
  /** Address in the network's canonical form. */
  readonly address?: string | undefined
  readonly transactionHash?: string | undefined
  readonly paymentId?: string | undefined
  /** Earliest time of detection. */
  readonly from?: Date | undefined
  /** Latest time of detection. */
  readonly to?: Date | undefined
  /** Time before which a deposit was detected. */
  readonly until?: Date | undefined
}

export interface ListedDeposit extends DepositRow {
  /** Height up to which its chain was scanned. `null` before the first block. */
  readonly scanned_height: bigint | null
}

/** Lists deposits by id, which sorts by time of detection. Each filter narrows the list. */
export async function listDeposits(
  sql: Queryable,
  merchantId: string,
  filter: DepositFilter,
  slice: Slice,
): Promise<ListedDeposit[]> {
  return sql<ListedDeposit[]>`
    SELECT each.*, cursor.height AS scanned_height
    FROM (
      ${selectDeposits(sql)}
      WHERE deposit.merchant_id = ${merchantId}
        ${slice.before === null ? sql`` : sql`AND deposit.id < ${slice.before}`}
        ${narrowDeposits(sql, merchantId, filter)}
      ORDER BY deposit.id DESC OFFSET ${slice.offset} LIMIT ${slice.take}
    ) each
    LEFT JOIN chain_cursors cursor ON cursor.network = each.network
    ORDER BY each.id DESC`
}

/** Returns the conditions of a filter, to which the caller adds that of the merchant. */
export function narrowDeposits(sql: Queryable, merchantId: string, filter: DepositFilter) {
  return sql`
    ${filter.userReference === undefined ? sql`` : sql`AND deposit.user_reference = ${filter.userReference}`}
    ${filter.network === undefined ? sql`` : sql`AND deposit.network = ${filter.network}`}
    ${filter.coin === undefined ? sql`` : sql`AND deposit.coin = ${filter.coin}`}
    ${filter.status === undefined ? sql`` : sql`AND deposit.status = ${filter.status}`}
    ${
      filter.address === undefined
        ? sql``
        : sql`AND deposit.address_id IN (SELECT id FROM addresses WHERE merchant_id = ${merchantId} AND address = ${filter.address})`
    }
    ${filter.transactionHash === undefined ? sql`` : sql`AND deposit.txid = ${filter.transactionHash}`}
    ${filter.paymentId === undefined ? sql`` : sql`AND deposit.payment_id = ${filter.paymentId}`}
    ${filter.from === undefined ? sql`` : sql`AND deposit.detected_at >= ${filter.from}`}
    ${filter.to === undefined ? sql`` : sql`AND deposit.detected_at <= ${filter.to}`}
    ${filter.until === undefined ? sql`` : sql`AND deposit.detected_at < ${filter.until}`}`
}
