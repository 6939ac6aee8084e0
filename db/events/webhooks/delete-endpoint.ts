/** Deletes a webhook endpoint. Its log stays. */

import { OPEN_DELIVERIES } from '../../../domain/events/delivery-status.js'
import type { Transaction } from '../../connect.js'
import { members } from '../../members.js'
import { type EndpointRow, endpointColumns } from './endpoint-row.js'
import { findEndpoint } from './find-endpoint.js'
import { resetCircuit } from './move-circuit.js'

/** The deleted endpoint, and at most 200 events whose delivery may still have a waiting workflow. */
export interface DeletedEndpoint {
  readonly endpoint: EndpointRow
  readonly waiting: readonly string[]
}

const MAX_NAMED = 200

/** Deletes the endpoint and cancels its open deliveries. Returns `null` if there is no such endpoint. */
export async function deleteEndpoint(
  tx: Transaction,
  merchantId: string,
  id: string,
): Promise<DeletedEndpoint | null> {
  if (!(await findEndpoint(tx, merchantId, id, true))) return null
  const [endpoint] = await tx<EndpointRow[]>`
    UPDATE webhook_endpoints SET status = 'deleted' WHERE id = ${id} RETURNING ${endpointColumns(tx)}`
  if (!endpoint) return null
  const cancelled = await tx<{ event_id: string; started: boolean }[]>`
    UPDATE webhook_deliveries SET status = 'cancelled', next_attempt_at = NULL
    WHERE endpoint_id = ${id} AND status IN ${members(tx, OPEN_DELIVERIES)}
    RETURNING event_id, workflow_started_at IS NOT NULL AS started`
  await resetCircuit(tx, id)
  const waiting = cancelled.filter((row) => row.started).map((row) => row.event_id)
  return { endpoint: { ...endpoint, circuit: 'closed' }, waiting: waiting.slice(0, MAX_NAMED) }
}
