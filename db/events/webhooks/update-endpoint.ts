/** Changes a webhook endpoint. A change of its status holds or resumes its deliveries. */

import type { Transaction } from '../../connect.js'
import { type EndpointRow, endpointColumns } from './endpoint-row.js'
import { findEndpoint } from './find-endpoint.js'
import { probeSoon, resetCircuit } from './move-circuit.js'

export interface EndpointChange {
  readonly url?: string | undefined
  readonly eventTypes?: readonly string[] | null | undefined
  /** Format of later events. Existing deliveries keep their bytes. */
  readonly format?: EndpointRow['format'] | undefined
  /** Status. `disabled` holds pending deliveries, `active` resumes held ones. */
  readonly status?: 'active' | 'disabled' | undefined
}

/** Applies the change. Returns `null` if there is no such endpoint. */
export async function updateEndpoint(
  tx: Transaction,
  merchantId: string,
  id: string,
  change: EndpointChange,
): Promise<EndpointRow | null> {
  // The lock waits for transactions that add deliveries to the endpoint, so that the update below misses
  // none.
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
    // The deliveries come before the circuit, as in `recordAttempt`, so that neither waits for the other.
    await tx`
      UPDATE webhook_deliveries SET status = 'held', next_attempt_at = NULL
      WHERE endpoint_id = ${id} AND status = 'pending'`
    await resetCircuit(tx, id)
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
  if (change.url !== undefined && change.url !== before.url) await probeSoon(tx, id)
  return row ? { ...row, circuit: status === 'disabled' ? 'closed' : row.circuit } : null
}
