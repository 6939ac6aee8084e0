/** Pauses a webhook endpoint, or resumes one that is paused or disabled. */

import { KeyturnError } from '../../../domain/errors.js'
import { ENDPOINT_TRANSITIONS } from '../../../domain/events/endpoint-status.js'
import type { Transaction } from '../../connect.js'
import { changeEndpointStatus } from './change-endpoint-status.js'
import type { EndpointRow } from './endpoint-row.js'
import { findEndpoint } from './find-endpoint.js'

/** An endpoint after a request to move it. */
export interface MovedEndpoint {
  readonly endpoint: EndpointRow
  /** Whether the request changed its status. */
  readonly changed: boolean
}

/**
 * Moves the endpoint. Returns `null` if there is no such endpoint.
 *
 * @throws KeyturnError `INVALID_STATE` if a disabled endpoint is to be paused.
 */
export async function moveEndpoint(
  tx: Transaction,
  merchantId: string,
  id: string,
  status: 'active' | 'paused',
): Promise<MovedEndpoint | null> {
  const endpoint = await findEndpoint(tx, merchantId, id, true)
  if (!endpoint || endpoint.status === 'deleted') return null
  if (endpoint.status === status) return { endpoint, changed: false }
  if (!ENDPOINT_TRANSITIONS[endpoint.status].includes(status)) {
    throw new KeyturnError(
      'INVALID_STATE',
      `The endpoint is ${endpoint.status}, so its deliveries are held already. Resume it to enable it`,
      { details: { endpoint_id: id, status: endpoint.status } },
    )
  }
  return { endpoint: await changeEndpointStatus(tx, endpoint, status), changed: true }
}
