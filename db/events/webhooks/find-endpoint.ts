/** Finds one webhook endpoint of a merchant. */

import type { Queryable } from '../../connect.js'
import { type EndpointRow, endpointColumns } from './endpoint-row.js'

/**
 * Returns an endpoint that is not deleted. `null` if there is none. `lock` locks its row until the
 * transaction ends.
 */
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
