/** Returns the name of a merchant. */

import type { Queryable } from '../connect.js'

/** Returns the name. @throws Error if the merchant is unknown. */
export async function findMerchantName(sql: Queryable, merchantId: string): Promise<string> {
  const [row] = await sql<{ name: string }[]>`SELECT name FROM merchants WHERE id = ${merchantId}`
  if (!row) throw new Error(`Merchant ${merchantId} does not exist`)
  return row.name
}
