/** Deletes a webhook endpoint. Its log stays. */

import type { Transaction } from '../../connect.js'
import { type EndpointRow, endpointColumns } from './endpoint-row.js'
import { findEndpoint } from './find-endpoint.js'
import { resetCircuit } from './move-circuit.js'

/** Deletes the endpoint. Its open deliveries follow after the commit (`moveDeliveries`). Returns `null` if there is none. */
export async function deleteEndpoint(
  tx: Transaction,
  merchantId: string,
  id: string,
): Promise<EndpointRow | null> {
  if (!(await findEndpoint(tx, merchantId, id, true))) return null
  const [endpoint] = await tx<EndpointRow[]>`
    UPDATE webhook_endpoints SET status = 'deleted' WHERE id = ${id} RETURNING ${endpointColumns(tx)}`
  if (!endpoint) return null
  await resetCircuit(tx, id)
  return { ...endpoint, circuit: 'closed' }
}
