/** Computes dust thresholds, sizes and fees of the Bitcoin family. */

import { expect, test } from 'vitest'
import { dustThreshold, feeForWeight, toVsize } from '../../../../chains/utxo/coins/weights.js'
import { testNetwork } from '../test-network.js'

const script = (hex: string) => Buffer.from(hex, 'hex')

test('knows Bitcoin Core’s dust thresholds by script', () => {
  const network = testNetwork()
  expect(dustThreshold(script(`0014${'00'.repeat(20)}`), network)).toBe(294n)
  expect(dustThreshold(script(`76a914${'00'.repeat(20)}88ac`), network)).toBe(546n)
  expect(dustThreshold(script(`a914${'00'.repeat(20)}87`), network)).toBe(540n)
  expect(dustThreshold(script(`0020${'00'.repeat(32)}`), network)).toBe(330n)
  expect(dustThreshold(script(`5120${'00'.repeat(32)}`), network)).toBe(330n)
})

test('takes the dust rate from the network', () => {
  const network = testNetwork()
  const litecoinLike = { ...network, fees: { ...network.fees, dustRate: 30 } }
  expect(dustThreshold(script(`0014${'00'.repeat(20)}`), litecoinLike)).toBe(2_940n)
})

test('rounds virtual bytes and fees up', () => {
  expect(toVsize(561)).toBe(141)
  expect(feeForWeight(561, 1)).toBe(141n)
  expect(feeForWeight(4, 1.001)).toBe(2n)
  expect(feeForWeight(4_000, 1.001)).toBe(1_001n)
  expect(feeForWeight(4_000, 0.1 + 0.2)).toBe(300n)
})
