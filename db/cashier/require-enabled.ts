/** Checks that a merchant has enabled the coins that a session offers. */

import { KeyturnError } from '../../domain/errors.js'
import type { Queryable } from '../connect.js'
import type { SessionCoin } from './create-session.js'
import { listEnabled } from './list-enabled.js'

/** Requires that every coin is enabled. @throws KeyturnError `RAIL_NOT_ENABLED` for the first one that is not. */
export async function requireEnabled(
  sql: Queryable,
  merchantId: string,
  coins: readonly SessionCoin[],
): Promise<void> {
  const enabled = await listEnabled(sql, merchantId)
  const missing = coins.find(({ network, coin }) => !includes(enabled, network, coin))
  if (!missing) return
  const { network, coin } = missing
  throw new KeyturnError(
    'RAIL_NOT_ENABLED',
    `${coin} on ${network} is not enabled for this merchant; ask the operator to enable it`,
    { details: { network, coin } },
  )
}

function includes(coins: readonly SessionCoin[], network: string, coin: string): boolean {
  return coins.some((each) => each.network === network && each.coin === coin)
}
