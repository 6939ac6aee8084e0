/** The wallet that somebody wants a withdrawal to be paid from. */

import { KeyturnError } from '../../domain/errors.js'
import type { Network } from '../../domain/network.js'
import type { Queryable } from '../connect.js'

/**
 * @param id - `from_address_id`; null where the platform may choose.
 * @returns Its address, or null.
 * @throws KeyturnError `VALIDATION_FAILED` when it is no wallet of the merchant's on the network.
 */
export async function requireWallet(
  sql: Queryable,
  merchantId: string,
  network: Network,
  id: string | null,
): Promise<string | null> {
  if (id === null) return null
  const [wallet] = await sql<{ address: string }[]>`
    SELECT address FROM addresses
    WHERE id = ${id} AND merchant_id = ${merchantId} AND network = ${network.name}
      AND kind IN ('master', 'hot', 'gas')`
  if (wallet) return wallet.address
  const reason = `is not a wallet of yours on ${network.name}; GET /wallets lists them`
  throw new KeyturnError('VALIDATION_FAILED', `from_address_id ${reason}`, {
    details: { in: 'body', fields: [{ path: 'from_address_id', reason }] },
  })
}
