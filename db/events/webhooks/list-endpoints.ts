/** Lists webhook endpoints of a merchant, newest first. */

import type { Queryable } from '../../connect.js'
import type { Slice } from '../../slice.js'
import { type EndpointRow, endpointColumns } from './endpoint-row.js'

/** Returns the endpoints that are not deleted. */
export async function listEndpoints(
  sql: Queryable,
  merchantId: string,
  slice: Slice,
): Promise<EndpointRow[]> {
  return sql<EndpointRow[]>`
    SELECT ${endpointColumns(sql)} FROM webhook_endpoints
    WHERE merchant_id = ${merchantId} AND status <> 'deleted'
      ${slice.before === null ? sql`` : sql`AND id < ${slice.before}`}
    ORDER BY id DESC LIMIT ${slice.take} OFFSET ${slice.offset}`
}
