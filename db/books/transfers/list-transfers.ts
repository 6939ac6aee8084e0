/** Lists a merchant's transfers, newest first, and finds one. */

import { KeyturnError } from '../../../domain/errors.js'
import type { Queryable } from '../../connect.js'
import { idFrom, idTo } from '../../id-range.js'
import { mergeCoins, pageOf } from '../../page-of.js'
import type { Slice } from '../../slice.js'
import type { TransferRow } from './transfer-row.js'

export interface TransferFilter {
  /** User who paid or received. */
  readonly userReference?: string | undefined
  readonly network?: string | undefined
  readonly coin?: string | undefined
  readonly externalId?: string | undefined
  /** Earliest time. */
  readonly from?: Date | undefined
  /** Time that is not included any more. */
  readonly to?: Date | undefined
}

/** Lists transfers by id, which begins with the time. A user's transfers are merged from both sides. */
export async function listTransfers(
  sql: Queryable,
  merchantId: string,
  filter: TransferFilter,
  slice: Slice,
): Promise<TransferRow[]> {
  const { userReference, externalId } = filter
  const where = sql`merchant_id = ${merchantId} ${narrowTransfers(sql, filter)}`
  if (userReference === undefined) {
    const merge = externalId === undefined ? mergeCoins(sql, merchantId, filter) : undefined
    return await sql<TransferRow[]>`
      SELECT * FROM ${pageOf(sql, { table: sql`transfers`, name: 'each', where, merge }, slice)} page ORDER BY id DESC`
  }
  const side = (column: string) =>
    pageOf(
      sql,
      {
        table: sql`transfers`,
        name: 'each',
        where: sql`${where} AND each.${sql(column)} = ${userReference}`,
      },
      { ...slice, offset: 0, take: slice.offset + slice.take },
    )
  return await sql<TransferRow[]>`
    SELECT * FROM ${side('from_user_reference')} paid UNION ALL SELECT * FROM ${side('to_user_reference')} received
    ORDER BY id DESC OFFSET ${slice.offset} LIMIT ${slice.take}`
}

/** Returns the conditions of a filter but the user, to which the caller adds that of the merchant. */
export function narrowTransfers(sql: Queryable, filter: TransferFilter) {
  return sql`
    ${filter.network === undefined ? sql`` : sql`AND network = ${filter.network}`}
    ${filter.coin === undefined ? sql`` : sql`AND coin = ${filter.coin}`}
    ${filter.externalId === undefined ? sql`` : sql`AND external_id = ${filter.externalId}`}
    ${filter.from === undefined ? sql`` : sql`AND id >= ${idFrom('trf', filter.from)} AND created_at >= ${filter.from}`}
    ${filter.to === undefined ? sql`` : sql`AND id < ${idTo('trf', filter.to)} AND created_at < ${filter.to}`}`
}

/** Returns a merchant's transfer. @throws KeyturnError `NOT_FOUND`, also for another merchant's transfer. */
export async function findTransfer(sql: Queryable, merchantId: string, id: string): Promise<TransferRow> {
  const [row] = await sql<TransferRow[]>`
    SELECT * FROM transfers WHERE id = ${id} AND merchant_id = ${merchantId}`
  if (row) return row
  throw new KeyturnError('NOT_FOUND', 'There is no such transfer; check the id', { details: { id } })
}
