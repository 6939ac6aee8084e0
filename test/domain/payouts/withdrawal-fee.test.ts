/** Computes fees and fee limits of payouts. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { findCoin, type Network } from '../../../domain/chain/network.js'
import { PRIORITIES } from '../../../domain/payouts/priority.js'
import {
  estimateFee,
  fallbackPrice,
  feeLimit,
  PRIORITY_LEVEL,
} from '../../../domain/payouts/withdrawal-fee.js'
import { testNetworks } from '../../stage/test-networks.js'

const networks = testNetworks({ ETHEREUM_ENABLED: 'true', BITCOIN_ENABLED: 'true' })
const network = (name: string): Network => {
  const found = networks.get(name)
  if (!found) throw new Error(name)
  return found
}

test('leaves room above the estimate and stays inside the cap of the network', () => {
  for (const each of networks.values())
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: each.fees.maxTotal }), (estimate) => {
        const limit = feeLimit(each, estimate)
        expect(limit).toBeGreaterThan(0n)
        expect(limit).toBeGreaterThanOrEqual(estimate)
        expect(limit).toBeLessThanOrEqual(each.fees.maxTotal)
      }),
    )
})

test('computes a fee from base fee and tip on EVM chains, and from size and rate on UTXO chains', () => {
  const ethereum = network('ethereum')
  const price = { family: 'evm', maxFeePerGas: 21n * 10n ** 9n, maxPriorityFeePerGas: 10n ** 9n } as const
  expect(estimateFee(ethereum, findCoin(ethereum, 'eth'), price, 0)).toBe(21_000n * 11n * 10n ** 9n)
  expect(estimateFee(ethereum, findCoin(ethereum, 'usdt'), price, 0)).toBe(65_000n * 11n * 10n ** 9n)
  const bitcoin = network('bitcoin')
  // BIP-141: 10.5 and 68 an input, 31 an output.
  expect(estimateFee(bitcoin, findCoin(bitcoin, 'btc'), { family: 'utxo', rate: 10 }, 2)).toBe(2_090n)
  expect(estimateFee(bitcoin, findCoin(bitcoin, 'btc'), { family: 'utxo', rate: 500 }, 250)).toBe(
    bitcoin.fees.maxTotal,
  )
})

test('falls back to the factors of the priorities without a market price', () => {
  const rates = PRIORITIES.map((priority) => {
    const price = fallbackPrice(network('bitcoin'), priority)
    return price.family === 'utxo' ? price.rate : null
  })
  expect(rates).toEqual([4, 5, 7.5, 10])
  expect(PRIORITIES.map((priority) => PRIORITY_LEVEL[priority].percent)).toEqual([80n, 100n, 150n, 200n])
})
