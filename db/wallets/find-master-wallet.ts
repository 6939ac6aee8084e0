/** Finds the master wallet of a merchant on a network. */

import type { Queryable } from '../connect.js'

/** Returns the address of the first master wallet. `null` if the merchant has none on the network. */
export async function findMasterWallet(
  sql: Queryable,
  merchantId: string,
  network: string,
): Promise<string | null> {
  const [wallet] = await sql<{ address: string }[]>`
    SELECT address FROM addresses
    WHERE merchant_id = ${merchantId} AND network = ${network} AND kind = 'master' ORDER BY index LIMIT 1`
  return wallet?.address ?? null
}
