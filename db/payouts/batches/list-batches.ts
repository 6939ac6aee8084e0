/** Lists a merchant's batches, newest first, without their items. */

import type { BatchStatus } from '../../../domain/payouts/batch-status.js'
import type { Queryable } from '../../connect.js'
import type { Slice } from '../../slice.js'
import { type BatchViewRow, batchViewQuery } from './read-batch-view.js'

export interface BatchFilter {
  readonly status?: BatchStatus | undefined
  readonly network?: string | undefined
  readonly coin?: string | undefined
  readonly userReference?: string | undefined
  readonly externalId?: string | undefined
}

/** Lists by id, which sorts by time of creation; index `batches_merchant`. */
export async function listBatches(
  sql: Queryable,
  merchantId: string,
  filter: BatchFilter,
  slice: Slice,
): Promise<BatchViewRow[]> {
  return await sql<BatchViewRow[]>`
    ${batchViewQuery(sql)}
    WHERE batch.merchant_id = ${merchantId}
      ${slice.before === null ? sql`` : sql`AND batch.id < ${slice.before}`}
      ${filter.status === undefined ? sql`` : sql`AND batch.status = ${filter.status}`}
      ${filter.network === undefined ? sql`` : sql`AND batch.network = ${filter.network}`}
      ${filter.coin === undefined ? sql`` : sql`AND batch.coin = ${filter.coin}`}
      ${filter.userReference === undefined ? sql`` : sql`AND batch.user_reference = ${filter.userReference}`}
      ${filter.externalId === undefined ? sql`` : sql`AND batch.external_id = ${filter.externalId}`}
    ORDER BY batch.id DESC OFFSET ${slice.offset} LIMIT ${slice.take}`
}
