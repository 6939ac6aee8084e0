/** Parses the part `treasury` of a network in `networks.yml`. */

import { z } from 'zod'
import type { Family } from '../domain/chain/by-family.js'
import type { Coin } from '../domain/chain/network.js'
import { parseAmount } from '../domain/money.js'
import type { Treasury } from '../domain/payouts/treasury.js'
import { parseDuration } from './parse-duration.js'

const name = z.string().regex(/^[a-z][a-z0-9-]{0,30}$/, 'names are lower-case letters, digits and hyphens')
const amounts = z.record(name, z.string()).default({})
const duration = (fallback: string) => z.string().default(fallback).transform(parseDuration)

/** Schema of the part. Amounts are whole coins, by the coin's name. */
export const treasurySchema = z
  .strictObject({
    automatic: z.boolean().default(false),
    consolidation: z
      .strictObject({
        least: amounts,
        worth: amounts,
        max_fee_percent: z.number().gt(0).lt(100).default(5),
        retry_after: duration('1h'),
        expiry: duration('1h'),
      })
      .prefault({}),
    gas_daily: z.string().default('0'),
    outputs: z
      .strictObject({
        max_fee_rate: z.number().positive(),
        // Spending a small output costs a large share of it. Without consolidation it would never pay.
        max_fee_percent: z.number().gt(0).lt(100).default(25),
        smaller_than: z.string(),
        at_least: z.int().min(2).max(10_000),
      })
      .nullable()
      .default(null),
    rebalance: z.record(name, z.strictObject({ low: z.string(), high: z.string() })).default({}),
    low_balance: z.strictObject({ master: amounts, hot: amounts, gas: amounts }).prefault({}),
  })
  .prefault({})

/**
 * Makes the rules of a network.
 *
 * @param coins - Coins, the native one first.
 * @throws Error that names a coin which the network does not have, watermarks that are the wrong way round,
 * or a part that the family has no use for: on UTXO networks every wallet pays and change goes to the master
 * wallet, on EVM networks there are no outputs.
 */
export function toTreasury(
  networkName: string,
  family: Family,
  coins: readonly Coin[],
  entry: z.output<typeof treasurySchema>,
): Treasury {
  const [native] = coins
  if (!native) throw new Error(`networks.${networkName} has no native coin`)
  const decimalsOf = (coin: string, key: string): number => {
    const found = coins.find((each) => each.name === coin)
    if (!found) throw new Error(`networks.${networkName}.treasury.${key}: unknown coin ${coin}`)
    return found.decimals
  }
  const units = (key: string, given: Readonly<Record<string, string>>) =>
    Object.fromEntries(
      Object.entries(given).map(([coin, text]) => [coin, parseAmount(text, decimalsOf(coin, key))]),
    )
  const worth = Object.entries(entry.consolidation.worth).map(([coin, text]): [string, bigint] => {
    decimalsOf(coin, 'consolidation.worth')
    return [coin, parseAmount(text, native.decimals)]
  })
  const { outputs } = entry
  const useless = {
    utxo: Object.keys(entry.rebalance).length > 0 && 'rebalance',
    evm: outputs && 'outputs',
  }[family]
  if (useless)
    throw new Error(`networks.${networkName}.treasury.${useless}: not on a network of family ${family}`)
  return {
    automatic: entry.automatic,
    consolidation: {
      least: units('consolidation.least', entry.consolidation.least),
      worth: Object.fromEntries(worth),
      maxFeePercent: entry.consolidation.max_fee_percent,
      retryMs: entry.consolidation.retry_after,
      expiryMs: entry.consolidation.expiry,
    },
    gasDaily: parseAmount(entry.gas_daily, native.decimals),
    outputs: outputs && {
      maxFeeRate: outputs.max_fee_rate,
      maxFeePercent: outputs.max_fee_percent,
      small: parseAmount(outputs.smaller_than, native.decimals),
      count: outputs.at_least,
    },
    rebalance: Object.fromEntries(
      Object.entries(entry.rebalance).map(([coin, marks]) => {
        const decimals = decimalsOf(coin, 'rebalance')
        const [low, high] = [parseAmount(marks.low, decimals), parseAmount(marks.high, decimals)]
        if (low >= high)
          throw new Error(`networks.${networkName}.treasury.rebalance.${coin}: low must be below high`)
        return [coin, { low, high }]
      }),
    ),
    lowBalance: {
      master: units('low_balance.master', entry.low_balance.master),
      hot: units('low_balance.hot', entry.low_balance.hot),
      gas: units('low_balance.gas', entry.low_balance.gas),
    },
  }
}
