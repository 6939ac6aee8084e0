/** Lists the addresses that a user was given as their own. */

import type { Queryable } from '../connect.js'

export interface OwnAddress {
  readonly network: string
  readonly address: string
}

/** Most addresses of a network that are shown. */
const MOST_SHOWN = 10

/** Returns the newest addresses of each network, newest first. Addresses of payments are not the user's own. */
export async function listOwnAddresses(
  sql: Queryable,
  merchantId: string,
  userReference: string,
): Promise<readonly OwnAddress[]> {
  return await sql<OwnAddress[]>`
    SELECT network, address FROM (
      SELECT id, network, address, row_number() OVER (PARTITION BY network ORDER BY id DESC) AS place
      FROM addresses
      WHERE merchant_id = ${merchantId} AND user_reference = ${userReference} AND kind = 'deposit' AND NOT for_payment
    ) ranked
    WHERE place <= ${MOST_SHOWN} ORDER BY id DESC`
}
