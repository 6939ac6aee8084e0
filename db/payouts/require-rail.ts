/** Checks that a merchant may pay out in a coin. */

import type { Coin, Network } from '../../domain/chain/network.js'
import { KeyturnError } from '../../domain/errors.js'
import type { Queryable } from '../connect.js'
import { merchantSuspended } from '../merchants/merchant-suspended.js'
import { payingSigner } from '../signing/find-paying-signer.js'

/** A coin of a network in which a merchant wants to pay out. */
export interface Rail {
  readonly merchantId: string
  readonly network: Network
  readonly coin: Coin
}

/** Checks that the coin is enabled, for what needs no signer. @throws KeyturnError `RAIL_NOT_ENABLED`. */
export async function requireEnabledRail(sql: Queryable, { merchantId, network, coin }: Rail): Promise<void> {
  const [rail] = await sql`
    SELECT FROM merchant_rails
    WHERE merchant_id = ${merchantId} AND network = ${network.name} AND coin = ${coin.name}`
  if (!rail) throw railNotEnabled(network, coin)
}

/**
 * Checks that the coin is enabled and that a signer holds its keys.
 *
 * @returns The id of the signer that pays.
 * @throws KeyturnError `MERCHANT_SUSPENDED`, `RAIL_NOT_ENABLED`, and `NO_SIGNER` when no signer holds keys.
 */
export async function requireRail(sql: Queryable, { merchantId, network, coin }: Rail): Promise<string> {
  const [rail] = await sql<{ suspended: boolean; enabled: boolean; signer: string | null }[]>`
    SELECT status = 'suspended' AS suspended,
           EXISTS (SELECT FROM merchant_rails rail
                   WHERE rail.merchant_id = ${merchantId} AND rail.network = ${network.name} AND rail.coin = ${coin.name}) AS enabled,
           (${payingSigner(sql, merchantId, network.name)}) AS signer
    FROM merchants WHERE id = ${merchantId}`
  if (rail?.suspended) throw await merchantSuspended(sql, merchantId)
  if (!rail?.enabled) throw railNotEnabled(network, coin)
  if (rail.signer !== null) return rail.signer
  throw new KeyturnError(
    'NO_SIGNER',
    `No signer holds keys of ${network.name} for this merchant; enrol one with keyturn-signer init`,
    { details: { network: network.name } },
  )
}

function railNotEnabled(network: Network, coin: Coin): KeyturnError {
  return new KeyturnError(
    'RAIL_NOT_ENABLED',
    `${coin.name} on ${network.name} is not enabled for this merchant; ask the operator to enable it`,
    { details: { network: network.name, coin: coin.name } },
  )
}
