/** Chooses fees of EVM transactions: factors of the priorities, caps, and quiet chains. */

import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { chooseFees, type FeeMarket, leastMaxFee } from '../../../chains/evm/send/choose-fees.js'
import { readFeeMarket } from '../../../chains/evm/send/fee-market.js'
import type { EvmNetwork } from '../../../domain/chain/network.js'
import type { Priority } from '../../../domain/payouts/priority.js'
import { DEFAULT_NETWORKS_FILE, parseNetworks } from '../../../networks/load-networks.js'

const GWEI = 10n ** 9n
const caps = { maxFeePerGas: 500n * GWEI, maxPriorityFeePerGas: 50n * GWEI, minPriorityFeePerGas: 1n }
const PRIORITIES: readonly Priority[] = ['low', 'normal', 'high', 'urgent']
const even = (tip: bigint) => ({ low: [tip], normal: [tip], high: [tip], urgent: [tip] })

test('applies the multipliers of the priorities to the tip', () => {
  const market: FeeMarket = { baseFee: 10n * GWEI, tips: even(2n * GWEI), suggestedTip: 9n }
  const tips = PRIORITIES.map((priority) => chooseFees(market, priority, caps).maxPriorityFeePerGas)
  expect(tips).toEqual([(16n * GWEI) / 10n, 2n * GWEI, 3n * GWEI, 4n * GWEI])
  expect(chooseFees(market, 'high', caps).maxFeePerGas).toBe(23n * GWEI)
})

test('keeps the caps, a tip between 1 and the whole fee, and never pays less for a higher priority', () => {
  const wei = fc.bigInt({ min: 0n, max: 10n ** 13n })
  fc.assert(
    fc.property(wei, fc.array(wei, { maxLength: 5 }), wei, wei, wei, (baseFee, tips, suggestedTip, a, b) => {
      const limits = { maxFeePerGas: a + 1n, maxPriorityFeePerGas: b + 1n, minPriorityFeePerGas: 1n }
      const market = { baseFee, tips: { low: tips, normal: tips, high: tips, urgent: tips }, suggestedTip }
      let previous = { maxFeePerGas: 0n, maxPriorityFeePerGas: 0n }
      for (const priority of PRIORITIES) {
        const fees = chooseFees(market, priority, limits)
        expect(fees.maxFeePerGas).toBeLessThanOrEqual(limits.maxFeePerGas)
        expect(fees.maxPriorityFeePerGas).toBeLessThanOrEqual(limits.maxPriorityFeePerGas)
        expect(fees.maxPriorityFeePerGas).toBeLessThanOrEqual(fees.maxFeePerGas)
        expect(fees.maxPriorityFeePerGas).toBeGreaterThan(0n)
        expect(fees.maxFeePerGas).toBeGreaterThanOrEqual(previous.maxFeePerGas)
        expect(fees.maxPriorityFeePerGas).toBeGreaterThanOrEqual(previous.maxPriorityFeePerGas)
        // The next block's base fee is known already, the one after it may be an eighth higher.
        expect(leastMaxFee(market, fees)).toBeGreaterThan(baseFee)
        previous = fees
      }
    }),
  )
})

test('asks the node for a tip when blocks are empty', () => {
  const history = {
    baseFeePerGas: ['0x3b9aca00', '0x3b9aca00', '0x34ad4e48'],
    gasUsedRatio: [0, 0.5],
    reward: [
      ['0x0', '0x0', '0x0', '0x0'],
      ['0x1', '0x2', '0x3', '0x4'],
    ],
  }
  expect(readFeeMarket(history, '0x5')).toEqual({
    baseFee: 0x34ad4e48n,
    tips: { low: [1n], normal: [2n], high: [3n], urgent: [4n] },
    suggestedTip: 5n,
  })
  const quiet = readFeeMarket({ ...history, gasUsedRatio: [0, 0] }, '0x5')
  expect(chooseFees(quiet, 'normal', caps).maxPriorityFeePerGas).toBe(5n)
})

test('refuses a chain without EIP-1559', () => {
  expect(() => readFeeMarket({ gasUsedRatio: [] }, '0x5')).toThrow('baseFeePerGas')
})

test("offers at least the least tip of the network's nodes", () => {
  const polygon = { ...caps, minPriorityFeePerGas: 30n * GWEI }
  const market: FeeMarket = { baseFee: 20n * GWEI, tips: even(30n * GWEI), suggestedTip: 30n * GWEI }
  expect(chooseFees(market, 'low', polygon)).toEqual({
    maxFeePerGas: 70n * GWEI,
    maxPriorityFeePerGas: 30n * GWEI,
  })
  expect(chooseFees(market, 'normal', polygon).maxPriorityFeePerGas).toBe(30n * GWEI)
  expect(chooseFees(market, 'high', polygon).maxPriorityFeePerGas).toBe(45n * GWEI)
})

test("offers the node's suggestion, and never 0, when recent blocks paid no tip", () => {
  const bounds = { ...caps, minPriorityFeePerGas: 1_000_000n }
  const tipOf = (market: FeeMarket) => chooseFees(market, 'normal', bounds)
  const paidNone = { tips: even(0n) }
  expect(tipOf({ ...paidNone, baseFee: 7n * GWEI, suggestedTip: 2n * GWEI }).maxPriorityFeePerGas).toBe(
    2n * GWEI,
  )
  expect(tipOf({ ...paidNone, baseFee: 7n * GWEI, suggestedTip: 0n }).maxPriorityFeePerGas).toBe(1_000_000n)
  // Nothing was ever paid on this chain, and its nodes refuse 1 wei all the same.
  for (const suggestedTip of [0n, 1n]) {
    expect(tipOf({ ...paidNone, baseFee: 0n, suggestedTip })).toEqual({
      maxFeePerGas: GWEI,
      maxPriorityFeePerGas: GWEI,
    })
  }
})

test('takes the least tip of a network from the configuration', () => {
  const networks = parseNetworks(readFileSync(DEFAULT_NETWORKS_FILE, 'utf8'), { POLYGON_ENABLED: 'true' })
  const least = (name: string) => (networks.get(name) as EvmNetwork).fees.minPriorityFeePerGas
  expect(least('polygon')).toBe(30n * GWEI)
  expect(least('ethereum')).toBe(1_000_000n)
})
