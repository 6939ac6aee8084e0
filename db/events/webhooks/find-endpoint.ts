/** One webhook endpoint of a merchant. */

import type { Queryable } from '../../connect.js'
import { type EndpointRow, endpointColumns } from './endpoint-row.js'

/** Finds an endpoint that was not deleted; null where there is none. `lock` keeps it as it is until the transaction ends. */
export async function findEndpoint(
  sql: Queryable,
  merchantId: string,
  id: string,
  lock = false,
): Promise<EndpointRow | null> {
  const [row] = await sql<EndpointRow[]>`
    SELECT ${endpointColumns(sql)} FROM webhook_endpoints
    WHERE merchant_id = ${merchantId} AND id = ${id} AND status <> 'deleted' ${lock ? sql`FOR UPDATE` : sql``}`
  return row ?? null
}
