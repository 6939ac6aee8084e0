/** Reads the decimal places of coins. */

import { findNetwork, type Networks } from '../../domain/chain/network.js'
import type { Queryable } from '../connect.js'

/** Returns the decimals of every coin that the configuration has, or ever had. */
export async function readDecimals(
  sql: Queryable,
  networks: Networks,
): Promise<(network: string, coin: string) => number> {
  const known = await sql<{ network: string; name: string; decimals: number }[]>`
    SELECT network, name, decimals FROM known_coins`
  const decimals = new Map(known.map((coin) => [`${coin.network} ${coin.name}`, coin.decimals]))
  for (const network of networks.values()) {
    for (const coin of [...network.coins, ...(network.removedCoins ?? [])]) {
      decimals.set(`${network.name} ${coin.name}`, coin.decimals)
    }
  }
  return (network, coin) => {
    const found = decimals.get(`${network} ${coin}`)
    if (found === undefined)
      throw new Error(`The decimals of ${coin} on ${findNetwork(networks, network).name} are not known`)
    return found
  }
}
