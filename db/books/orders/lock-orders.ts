/** Locks the uploaded orders of a merchant. */

import type { Transaction } from '../../connect.js'

/** Locks them until the transaction ends. Uploads of a merchant, and the deletion of its old orders, take turns. */
export async function lockOrders(tx: Transaction, merchantId: string): Promise<void> {
  await tx`SELECT pg_advisory_xact_lock(hashtextextended(${`orders of ${merchantId}`}, 0))`
}
