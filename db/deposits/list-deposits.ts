/** Lists a merchant's deposits, newest first. */

import type { DepositStatus } from '../../domain/deposits/deposit-status.js'
import type { Queryable } from '../connect.js'
import { idFrom, idTo } from '../id-range.js'
import { type Merge, mergeCoins, networksOf, pageOf } from '../page-of.js'
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
  /** Time of detection that is not included any more. */
  readonly to?: Date | undefined
}

export interface ListedDeposit extends DepositRow {
  /** Height up to which its chain was scanned. `null` before the first block. */
  readonly scanned_height: bigint | null
}

/** Lists deposits by id, which begins with the time of detection. Each filter narrows the list. */
export async function listDeposits(
  sql: Queryable,
  merchantId: string,
  filter: DepositFilter,
  slice: Slice,
): Promise<ListedDeposit[]> {
  const where = sql`deposit.merchant_id = ${merchantId} ${narrowDeposits(sql, merchantId, filter)}`
  const merge = mergeOf(sql, merchantId, filter)
  const page = pageOf(sql, { table: sql`deposits`, name: 'deposit', where, merge }, slice)
  return sql<ListedDeposit[]>`
    SELECT each.*, cursor.height AS scanned_height
    FROM (${selectDeposits(sql, page)}) each
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
    ${filter.status === undefined || filter.status === 'success' ? sql`` : sql`AND deposit.status <> 'success'`}
    ${
      filter.address === undefined
        ? sql``
        : sql`AND deposit.address_id IN (
            SELECT id FROM addresses
            WHERE merchant_id = ${merchantId} AND address = ${filter.address} AND network IN (${networksOf(sql, merchantId)}))`
    }
    ${filter.transactionHash === undefined ? sql`` : sql`AND deposit.txid = ${filter.transactionHash}`}
    ${filter.paymentId === undefined ? sql`` : sql`AND deposit.payment_id = ${filter.paymentId}`}
    ${filter.from === undefined ? sql`` : sql`AND deposit.id >= ${idFrom('dep', filter.from)} AND deposit.detected_at >= ${filter.from}`}
    ${filter.to === undefined ? sql`` : sql`AND deposit.id < ${idTo('dep', filter.to)} AND deposit.detected_at < ${filter.to}`}`
}

/** Returns the keys of the index that serves the narrowest filter, where it needs several. */
function mergeOf(sql: Queryable, merchantId: string, filter: DepositFilter): Merge | undefined {
  if (filter.paymentId !== undefined) return undefined
  if (filter.transactionHash !== undefined) {
    return { keys: networksOf(sql, merchantId), on: sql`deposit.network = key.network` }
  }
  if (filter.address !== undefined) {
    const keys = sql`
      SELECT address.id FROM (${networksOf(sql, merchantId)}) served
      JOIN addresses address ON address.network = served.network AND address.address = ${filter.address}
      WHERE address.merchant_id = ${merchantId}`
    return { keys, on: sql`deposit.address_id = key.id` }
  }
  if (filter.userReference !== undefined || (filter.status ?? 'success') !== 'success') return undefined
  return mergeCoins(sql, merchantId, filter, 'deposit')
}
