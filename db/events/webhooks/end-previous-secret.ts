/** Ends the overlap of a rotation: the previous secret of an endpoint signs no longer. */

import type { Transaction } from '../../connect.js'
import { type EndpointRow, endpointColumns } from './endpoint-row.js'

/**
 * Removes the previous secret. An endpoint that has none stays as it is.
 *
 * @returns `null` if there is no such endpoint.
 */
export async function endPreviousSecret(
  tx: Transaction,
  merchantId: string,
  id: string,
): Promise<EndpointRow | null> {
  const [row] = await tx<EndpointRow[]>`
    UPDATE webhook_endpoints SET previous_secret_sealed = NULL, previous_secret_until = NULL
    WHERE merchant_id = ${merchantId} AND id = ${id} AND status <> 'deleted'
    RETURNING ${endpointColumns(tx)}`
  return row ?? null
}
