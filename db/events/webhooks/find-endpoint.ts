/** Finds one webhook endpoint of a merchant. */

import type { Queryable } from '../../connect.js'
import { type EndpointRow, endpointColumns } from './endpoint-row.js'

/**
 * Returns an endpoint that is not deleted. `null` if there is none. `lock` locks its row until the
 * transaction ends, after the turn of those who change an endpoint of the merchant: a change appends events, whose
 * deliveries need the rows of the other endpoints, so two changes at once would wait for each other.
 */
export async function findEndpoint(
  sql: Queryable,
  merchantId: string,
  id: string,
  lock = false,
): Promise<EndpointRow | null> {
  if (lock)
    await sql`SELECT pg_advisory_xact_lock(hashtextextended(${`webhook endpoints of ${merchantId}`}, 0))`
  const [row] = await sql<EndpointRow[]>`
    SELECT ${endpointColumns(sql)} FROM webhook_endpoints
    WHERE merchant_id = ${merchantId} AND id = ${id} AND status <> 'deleted' ${lock ? sql`FOR UPDATE` : sql``}`
  return row ?? null
}
