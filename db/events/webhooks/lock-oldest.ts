/** Locks the oldest deliveries of an endpoint, for a batch that moves them. */

import type { Transaction } from '../../connect.js'

/**
 * Returns the queries `next` and `locked` of a WITH clause. `locked` has the ids of the oldest deliveries in a status.
 * Locks in one order keep two such calls, or the sealer, from waiting for each other.
 *
 * @param status - It becomes a literal, as the partial indexes by status need it.
 */
export function lockOldest(tx: Transaction, endpointId: string, status: 'pending' | 'held', most: number) {
  const literal = status === 'held' ? tx`'held'` : tx`'pending'`
  return tx`
    next AS MATERIALIZED (
      SELECT id FROM webhook_deliveries WHERE endpoint_id = ${endpointId} AND status = ${literal}
      ORDER BY created_at LIMIT ${most}
    ), locked AS MATERIALIZED (
      SELECT delivery.id FROM next JOIN webhook_deliveries delivery ON delivery.id = next.id
      WHERE delivery.status = ${literal} ORDER BY delivery.id FOR NO KEY UPDATE OF delivery
    )`
}
