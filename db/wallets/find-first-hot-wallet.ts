/** Finds the first hot wallet of a merchant on a network. */

import type { Queryable } from '../connect.js'

/** Returns the address of the hot wallet with the lowest index. `null` if the merchant has none on the network. */
export async function findFirstHotWallet(
  sql: Queryable,
  merchantId: string,
  network: string,
): Promise<string | null> {
  const [wallet] = await sql<{ address: string }[]>`
    SELECT address FROM addresses
    WHERE merchant_id = ${merchantId} AND network = ${network} AND kind = 'master' ORDER BY index LIMIT 1`
  return wallet?.address ?? null
}
