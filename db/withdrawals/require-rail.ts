/** Whether a merchant may pay out in a coin at all. */

import { KeyturnError } from '../../domain/errors.js'
import type { Coin, Network } from '../../domain/network.js'
import type { Queryable } from '../connect.js'

/** A coin of a network that a merchant wants to pay out in. */
export interface Rail {
  readonly merchantId: string
  readonly network: Network
  readonly coin: Coin
}

/** @throws KeyturnError `RAIL_NOT_ENABLED`, and `NO_SIGNER` where nobody holds keys. */
export async function requireRail(sql: Queryable, { merchantId, network, coin }: Rail): Promise<void> {
  const [rail] = await sql`
    SELECT 1 FROM merchant_rails WHERE merchant_id = ${merchantId} AND network = ${network.name} AND coin = ${coin.name}`
  if (!rail) {
    throw new KeyturnError(
      'RAIL_NOT_ENABLED',
      `${coin.name} on ${network.name} is not enabled for this merchant; ask the operator to enable it`,
      { details: { network: network.name, coin: coin.name } },
    )
  }
  const [signer] = await sql`
    SELECT 1 FROM key_accounts account JOIN signers signer ON signer.id = account.signer_id
    WHERE account.merchant_id = ${merchantId} AND account.network = ${network.name} AND signer.revoked_at IS NULL LIMIT 1`
  if (signer) return
  throw new KeyturnError(
    'NO_SIGNER',
    `No signer holds keys of ${network.name} for this merchant; enrol one with keyturn-signer init`,
    { details: { network: network.name } },
  )
}
