/** Finds the decimal places of coins. */

import type { Networks } from '../../domain/chain/network.js'
import type { Queryable } from '../connect.js'

/** Returns the decimals of every coin that the configuration has, or ever had. `undefined` for any other coin. */
export async function findDecimals(
  sql: Queryable,
  networks: Networks,
): Promise<(network: string, coin: string) => number | undefined> {
  const known = await sql<{ network: string; name: string; decimals: number }[]>`
    SELECT network, name, decimals FROM known_coins`
  const decimals = new Map(known.map((coin) => [`${coin.network} ${coin.name}`, coin.decimals]))
  for (const network of networks.values()) {
    for (const coin of [...network.coins, ...(network.removedCoins ?? [])]) {
      decimals.set(`${network.name} ${coin.name}`, coin.decimals)
    }
  }
  return (network, coin) => decimals.get(`${network} ${coin}`)
}
