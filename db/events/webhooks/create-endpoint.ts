/** Registers a webhook endpoint. */

import { KeyturnError } from '../../../domain/errors.js'
import { NEWEST_SCHEMA_VERSION } from '../../../domain/events/schema-version.js'
import type { Transaction } from '../../connect.js'
import { newId } from '../../new-id.js'
import { type EndpointRow, endpointColumns } from './endpoint-row.js'

export interface NewEndpoint {
  readonly merchantId: string
  /** URL that the caller has checked. */
  readonly url: string
  readonly eventTypes: readonly string[] | null
  readonly format: EndpointRow['format']
  /** Version of the data of events. Default: the newest. */
  readonly schemaVersion?: EndpointRow['schema_version']
  /** Most attempts a second. Default: no limit. */
  readonly maxRate?: number | null
  /** Seals the UTF-8 bytes of the endpoint's secret (`whsec_…`) for the row with this id. */
  readonly seal: (id: string) => Buffer
}

/**
 * Inserts an active endpoint, to which all later events are delivered.
 *
 * @param most - Most endpoints of a merchant, because each event is delivered to each of them. Default: no
 * limit.
 * @throws KeyturnError `INVALID_STATE` if the merchant already has so many.
 */
export async function createEndpoint(
  tx: Transaction,
  endpoint: NewEndpoint,
  most: number = Number.POSITIVE_INFINITY,
): Promise<EndpointRow> {
  // The lock lets the second of two concurrent registrations count the first.
  await tx`SELECT pg_advisory_xact_lock(hashtextextended(${`webhook endpoints of ${endpoint.merchantId}`}, 0))`
  const [count] = await tx<{ endpoints: number }[]>`
    SELECT count(*)::int AS endpoints FROM webhook_endpoints
    WHERE merchant_id = ${endpoint.merchantId} AND status <> 'deleted'`
  if ((count?.endpoints ?? 0) >= most) {
    throw new KeyturnError(
      'INVALID_STATE',
      `You already have ${most} webhook endpoints, which is the limit. Delete one that you do not need`,
      { details: { limit: most } },
    )
  }
  const id = newId('whe')
  const [row] = await tx<EndpointRow[]>`
    INSERT INTO webhook_endpoints (id, merchant_id, url, event_types, format, schema_version, max_rate, secret_sealed)
    VALUES (${id}, ${endpoint.merchantId}, ${endpoint.url},
            ${endpoint.eventTypes === null ? null : [...endpoint.eventTypes]}, ${endpoint.format},
            ${endpoint.schemaVersion ?? NEWEST_SCHEMA_VERSION}, ${endpoint.maxRate ?? null}, ${endpoint.seal(id)})
    RETURNING ${endpointColumns(tx)}`
  if (!row) throw new Error('The endpoint was not inserted')
  return row
}
