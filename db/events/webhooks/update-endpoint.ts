/** Changes a webhook endpoint, and with its status what becomes of its deliveries. */

import type { Transaction } from '../../connect.js'
import { type EndpointRow, endpointColumns } from './endpoint-row.js'
import { findEndpoint } from './find-endpoint.js'

export interface EndpointChange {
  readonly url?: string | undefined
  readonly eventTypes?: readonly string[] | null | undefined
  /** For events from now on; deliveries that exist keep their bytes. */
  readonly format?: EndpointRow['format'] | undefined
  /** `disabled` holds what is pending; `active` sets free what was held. */
  readonly status?: 'active' | 'disabled' | undefined
}

/** Applies the change; null where there is no such endpoint. */
export async function updateEndpoint(
  tx: Transaction,
  merchantId: string,
  id: string,
  change: EndpointChange,
): Promise<EndpointRow | null> {
  // The lock waits for transactions that are adding deliveries to it, so that none of them is missed below.
  const before = await findEndpoint(tx, merchantId, id, true)
  if (!before) return null
  const eventTypes = change.eventTypes === undefined ? before.event_types : change.eventTypes
  const status = change.status ?? before.status
  const [row] = await tx<EndpointRow[]>`
    UPDATE webhook_endpoints SET
      url = ${change.url ?? before.url}, event_types = ${eventTypes === null ? null : [...eventTypes]},
      format = ${change.format ?? before.format}, status = ${status}
    WHERE id = ${id} RETURNING ${endpointColumns(tx)}`
  if (status === 'disabled' && before.status === 'active') {
    await tx`
      UPDATE webhook_deliveries SET status = 'held', next_attempt_at = NULL
      WHERE endpoint_id = ${id} AND status = 'pending'`
  }
  if (status === 'active' && before.status === 'disabled') {
    await tx`
      WITH freed AS (
        UPDATE webhook_deliveries
        SET status = 'pending', next_attempt_at = now(), workflow_started_at = NULL, restarts = restarts + 1
        WHERE endpoint_id = ${id} AND status = 'held'
      )
      SELECT pg_notify('sealer', '')`
  }
  return row ?? null
}
