/** Registers a webhook endpoint. */

import { KeyturnError } from '../../../domain/errors.js'
import type { Transaction } from '../../connect.js'
import { newId } from '../../new-id.js'
import { type EndpointRow, endpointColumns } from './endpoint-row.js'

export interface NewEndpoint {
  readonly merchantId: string
  /** Checked already. */
  readonly url: string
  readonly eventTypes: readonly string[] | null
  readonly format: EndpointRow['format']
  /** Seals the UTF-8 of its `whsec_…` for the row of this id. */
  readonly seal: (id: string) => Buffer
}

/**
 * Inserts it, active at once: events from now on are delivered to it.
 *
 * @param most - How many a merchant may have: each event costs a delivery to each of them. Default: any number.
 * @throws KeyturnError `INVALID_STATE` when the merchant has so many.
 */
export async function createEndpoint(
  tx: Transaction,
  endpoint: NewEndpoint,
  most: number = Number.POSITIVE_INFINITY,
): Promise<EndpointRow> {
  // Of two at once, the second counts the first.
  await tx`SELECT pg_advisory_xact_lock(hashtextextended(${`webhook endpoints of ${endpoint.merchantId}`}, 0))`
  const [count] = await tx<{ endpoints: number }[]>`
    SELECT count(*)::int AS endpoints FROM webhook_endpoints
    WHERE merchant_id = ${endpoint.merchantId} AND status <> 'deleted'`
  if ((count?.endpoints ?? 0) >= most) {
    throw new KeyturnError(
      'INVALID_STATE',
      `You have ${most} webhook endpoints, the most that you may have; delete one that you do not need`,
      { details: { limit: most } },
    )
  }
  const id = newId('whe')
  const [row] = await tx<EndpointRow[]>`
    INSERT INTO webhook_endpoints (id, merchant_id, url, event_types, format, secret_sealed)
    VALUES (${id}, ${endpoint.merchantId}, ${endpoint.url},
            ${endpoint.eventTypes === null ? null : [...endpoint.eventTypes]}, ${endpoint.format}, ${endpoint.seal(id)})
    RETURNING ${endpointColumns(tx)}`
  if (!row) throw new Error('The endpoint was not inserted')
  return row
}
