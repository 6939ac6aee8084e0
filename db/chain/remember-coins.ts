/** Remembers the coins of the configuration, so that a removed one can still be shown and finished. */

import type { Coin, Network, Networks } from '../../domain/chain/network.js'
import type { Sql } from '../connect.js'

/**
 * Records the coins of these networks and adds those of earlier configurations. Nothing new begins in them,
 * and what is under way continues.
 */
export async function rememberCoins(sql: Sql, networks: Networks): Promise<Networks> {
  const coins = [...networks.values()].flatMap(({ name: network, coins: listed, blockTimeSeconds }) =>
    listed.map((coin) => ({ ...coin, network, blockTimeMs: Math.round(blockTimeSeconds * 1_000) })),
  )
  await sql`
    INSERT INTO known_coins (network, name, decimals, contract, dust, block_time_ms)
    SELECT * FROM unnest(
      ${coins.map((coin) => coin.network)}::text[], ${coins.map((coin) => coin.name)}::text[],
      ${coins.map((coin) => coin.decimals)}::int[], ${coins.map((coin) => coin.contract)}::text[],
      ${coins.map((coin) => coin.dust.toString())}::text[]::numeric[],
      ${coins.map((coin) => String(coin.blockTimeMs))}::text[]::bigint[])
    ON CONFLICT (network, name) DO UPDATE
    SET decimals = excluded.decimals, contract = excluded.contract, dust = excluded.dust,
        block_time_ms = excluded.block_time_ms`
  const known = await sql<(Coin & { readonly network: string })[]>`
    SELECT network, name, decimals, contract, dust FROM known_coins ORDER BY network, name`
  return new Map(
    [...networks].map(([name, network]): [string, Network] => {
      const removed = known
        .filter((coin) => coin.network === name && !network.coins.some((each) => each.name === coin.name))
        .map(({ network: _, ...coin }): Coin => coin)
      return [name, removed.length === 0 ? network : { ...network, removedCoins: removed }]
    }),
  )
}
