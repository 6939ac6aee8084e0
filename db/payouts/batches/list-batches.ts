/** Lists a merchant's batches, newest first, without their items. */

import type { BatchStatus } from '../../../domain/payouts/batch-status.js'
import type { Queryable } from '../../connect.js'
import { mergeCoins, pageOf } from '../../page-of.js'
import type { Slice } from '../../slice.js'
import { type BatchViewRow, batchViewQuery } from './read-batch-view.js'

export interface BatchFilter {
  readonly status?: BatchStatus | undefined
  readonly network?: string | undefined
  readonly coin?: string | undefined
  readonly userReference?: string | undefined
  readonly externalId?: string | undefined
}

/** Lists by id, which begins with the time of creation. */
export async function listBatches(
  sql: Queryable,
  merchantId: string,
  filter: BatchFilter,
  slice: Slice,
): Promise<BatchViewRow[]> {
  const { status, network, coin, userReference, externalId } = filter
  const where = sql`
    each.merchant_id = ${merchantId}
    ${status === undefined ? sql`` : sql`AND each.status = ${status}`}
    ${network === undefined ? sql`` : sql`AND each.network = ${network}`}
    ${coin === undefined ? sql`` : sql`AND each.coin = ${coin}`}
    ${userReference === undefined ? sql`` : sql`AND each.user_reference = ${userReference}`}
    ${externalId === undefined ? sql`` : sql`AND each.external_id = ${externalId}`}`
  const served = status !== undefined || userReference !== undefined || externalId !== undefined
  const merge = served ? undefined : mergeCoins(sql, merchantId, filter)
  const page = pageOf(sql, { table: sql`batches`, name: 'each', where, merge }, slice)
  return await sql<BatchViewRow[]>`${batchViewQuery(sql, page)} ORDER BY batch.id DESC`
}
