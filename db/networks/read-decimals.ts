/** Reads the decimal places of coins. */

import { findNetwork, type Networks } from '../../domain/chain/network.js'
import type { Queryable } from '../connect.js'
import { findDecimals } from './find-decimals.js'

/** Returns the decimals of every coin that the configuration has, or ever had. Any other coin is an error. */
export async function readDecimals(
  sql: Queryable,
  networks: Networks,
): Promise<(network: string, coin: string) => number> {
  const find = await findDecimals(sql, networks)
  return (network, coin) => {
    const found = find(network, coin)
    if (found === undefined)
      throw new Error(`The decimals of ${coin} on ${findNetwork(networks, network).name} are not known`)
    return found
  }
}
