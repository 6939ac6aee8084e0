/** Prices replacements. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  leastReplacement,
  leastUtxoReplacement,
  raised,
  repriceGas,
} from '../../../domain/payouts/replacement.js'

const GWEI = 10n ** 9n
const price = fc.bigInt({ min: 0n, max: 10_000n * GWEI })
const prices = fc.tuple(price, price).map(([base, tip]) => ({
  maxFeePerGas: base + tip,
  maxPriorityFeePerGas: tip,
}))
const market = fc
  .record({ prices, baseFee: price })
  .map((each) => ({ ...each.prices, baseFee: each.baseFee }))

test('raises a price by an eighth, rounded up', () => {
  expect([raised(0n), raised(1n), raised(8n), raised(9n), raised(1_000n)]).toEqual([0n, 2n, 9n, 11n, 1_125n])
})

test('prices a replacement an eighth above the replaced one, for the next block, and inside its limit', () => {
  fc.assert(
    fc.property(
      prices,
      market,
      fc.bigInt({ min: 21_000n, max: 500_000n }),
      fc.bigInt({ min: 0n, max: 10n ** 19n }),
      fc.option(prices, { nil: null }),
      (before, now, gas, limit, caps) => {
        const repriced = repriceGas(before, now, gas, limit, caps)
        if (repriced.kind === 'too_high') {
          const affordable = limit / gas
          const capped = caps !== null && caps.maxFeePerGas < affordable ? caps.maxFeePerGas : affordable
          expect(repriced.required).toBeGreaterThan(gas * capped)
          return
        }
        const { maxFeePerGas, maxPriorityFeePerGas } = repriced.prices
        expect(maxFeePerGas * 8n).toBeGreaterThanOrEqual(before.maxFeePerGas * 9n)
        expect(maxPriorityFeePerGas * 8n).toBeGreaterThanOrEqual(before.maxPriorityFeePerGas * 9n)
        expect(maxPriorityFeePerGas).toBeLessThanOrEqual(maxFeePerGas)
        expect(maxFeePerGas).toBeGreaterThanOrEqual(now.baseFee)
        expect(gas * maxFeePerGas).toBeLessThanOrEqual(limit)
        if (caps) expect(maxFeePerGas).toBeLessThanOrEqual(caps.maxFeePerGas)
      },
    ),
  )
})

test('prices by the next block alone if nothing is replaced', () => {
  const now = { maxFeePerGas: 30n, maxPriorityFeePerGas: 2n, baseFee: 8n }
  expect(leastReplacement(null, now)).toEqual({ maxFeePerGas: 11n, maxPriorityFeePerGas: 2n })
})

test("raises a fee on a UTXO network by the relay rate at least, and to the network's rate", () => {
  expect(leastUtxoReplacement(1_000n, 141, 1, 1)).toBe(1_141n)
  expect(leastUtxoReplacement(1_000n, 141, 20, 1)).toBe(2_820n)
})
