/** Registers a webhook endpoint. */

import type { Transaction } from '../connect.js'
import { newId } from '../new-id.js'
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

/** Inserts it, active at once: events from now on are delivered to it. */
export async function createEndpoint(tx: Transaction, endpoint: NewEndpoint): Promise<EndpointRow> {
  const id = newId('whe')
  const [row] = await tx<EndpointRow[]>`
    INSERT INTO webhook_endpoints (id, merchant_id, url, event_types, format, secret_sealed)
    VALUES (${id}, ${endpoint.merchantId}, ${endpoint.url},
            ${endpoint.eventTypes === null ? null : [...endpoint.eventTypes]}, ${endpoint.format}, ${endpoint.seal(id)})
    RETURNING ${endpointColumns(tx)}`
  if (!row) throw new Error('The endpoint was not inserted')
  return row
}
