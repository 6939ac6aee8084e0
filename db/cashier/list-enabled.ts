/** Lists the coins that a merchant has enabled. */

import type { Queryable } from '../connect.js'
import type { SessionCoin } from './create-session.js'

/** Returns the coins by network and name. */
export async function listEnabled(sql: Queryable, merchantId: string): Promise<readonly SessionCoin[]> {
  return await sql<SessionCoin[]>`
    SELECT network, coin FROM merchant_rails WHERE merchant_id = ${merchantId} ORDER BY network, coin`
}
