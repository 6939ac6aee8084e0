/** Changes an endpoint as the API does. */

import { inTransaction, type Sql, type Transaction } from '../../db/connect.js'
import { moveDeliveries } from '../../db/events/webhooks/move-deliveries.js'

/** Changes an endpoint in a transaction, and lets its deliveries follow. @returns What `change` returns. */
export async function changeEndpoint<T>(
  sql: Sql,
  endpointId: string,
  change: (tx: Transaction) => Promise<T>,
): Promise<T> {
  const changed = await inTransaction(sql, change)
  await moveDeliveries(sql, endpointId)
  return changed
}
