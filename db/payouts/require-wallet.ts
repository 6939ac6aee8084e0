/** Checks the wallet that a withdrawal names as its payer. */

import type { Network } from '../../domain/chain/network.js'
import { KeyturnError } from '../../domain/errors.js'
import type { Queryable } from '../connect.js'

/**
 * Returns the wallet's address.
 *
 * @param id - `from_address_id`. `null` when the platform may choose; then `null` is returned.
 * @throws KeyturnError `VALIDATION_FAILED` when it is no wallet of the merchant on the network, or is the gas
 * wallet, which only funds deposit addresses.
 */
export async function requireWallet(
  sql: Queryable,
  merchantId: string,
  network: Network,
  id: string | null,
): Promise<string | null> {
  if (id === null) return null
  const [wallet] = await sql<{ address: string; kind: 'master' | 'hot' | 'gas' }[]>`
    SELECT address, kind FROM addresses
    WHERE id = ${id} AND merchant_id = ${merchantId} AND network = ${network.name}
      AND kind IN ('master', 'hot', 'gas')`
  if (wallet && wallet.kind !== 'gas') return wallet.address
  const reason = wallet
    ? 'is a gas wallet, which only funds the fees of deposit addresses; name a master or hot wallet'
    : `is not a wallet of yours on ${network.name}; GET /wallets lists them`
  throw new KeyturnError('VALIDATION_FAILED', `from_address_id ${reason}`, {
    details: { in: 'body', fields: [{ path: 'from_address_id', reason }] },
  })
}
