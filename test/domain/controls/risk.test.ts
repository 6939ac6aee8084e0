/** The risk score and its factors. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Coin } from '../../../domain/chain/network.js'
import { DEFAULT_POLICY, RISK_FACTORS } from '../../../domain/controls/policy.js'
import { assessRisk, needsReview, type RiskFacts } from '../../../domain/controls/risk.js'
import { sanctionKey } from '../../../domain/controls/sanction-key.js'

const usdt: Coin = { name: 'usdt', decimals: 6, contract: null, dust: 0n }
const calm: RiskFacts = {
  amount: 1_000_000n,
  coin: usdt,
  earlierAmounts: [1_000_000n, 1_000_000n, 1_000_000n],
  destination: { sanctioned: false, whitelisted: false, paidBefore: 2 },
  frequency: { lastDay: 0, usualPerDay: 1 },
  geography: { country: 'NL', usual: ['NL'] },
  behaviour: { unpaid: 0, hour: 12, usualHours: Array(10).fill(12) },
}
const { risk } = DEFAULT_POLICY
const factor = (facts: Partial<RiskFacts>, name: string, policy = risk) => {
  const found = assessRisk({ ...calm, ...facts }, policy).factors.find((each) => each.name === name)
  return [found?.score, found?.reason]
}
const country = fc.constantFrom(undefined, null, 'NL', 'KP', 'DE')
const facts: fc.Arbitrary<RiskFacts> = fc.record({
  amount: fc.bigInt({ min: 1n, max: 10n ** 30n }),
  coin: fc.constant(usdt),
  earlierAmounts: fc.array(fc.bigInt({ min: 0n, max: 10n ** 30n }), { maxLength: 8 }),
  destination: fc.record({
    sanctioned: fc.boolean(),
    whitelisted: fc.boolean(),
    paidBefore: fc.integer({ min: 0, max: 5 }),
  }),
  frequency: fc.record({
    lastDay: fc.integer({ min: 0, max: 500 }),
    usualPerDay: fc.double({ min: 0, max: 50, noNaN: true }),
  }),
  geography: fc.record({ country, usual: fc.subarray(['NL', 'DE', 'KP']) }),
  behaviour: fc.record({
    unpaid: fc.integer({ min: 0, max: 10 }),
    hour: fc.integer({ min: 0, max: 23 }),
    usualHours: fc.array(fc.integer({ min: 0, max: 23 }), { maxLength: 12 }),
  }),
})
const weight = fc.double({ min: 0, max: 1, noNaN: true })
const weights = fc.record({
  amount: weight,
  destination: weight,
  frequency: weight,
  geography: weight,
  behaviour: weight,
})

test('every score lies between 0 and 100, and each factor says why', () => {
  fc.assert(
    fc.property(facts, weights, (given, given_weights) => {
      const assessed = assessRisk(given, {
        threshold: 50,
        weights: given_weights,
        high_risk_countries: ['KP'],
      })
      expect(assessed.factors.map((each) => each.name)).toEqual([...RISK_FACTORS])
      for (const { score, reason, weight } of assessed.factors) {
        expect(score >= 0 && score <= 100 && Number.isInteger(score)).toBe(true)
        expect(weight >= 0 && weight <= 1).toBe(true)
        expect(reason).not.toBe('')
      }
      expect(assessed.score >= 0 && assessed.score <= 100).toBe(true)
      expect(assessed.sanctioned).toBe(given.destination.sanctioned)
    }),
  )
})

test('a larger amount, a heavier weight or another country on the list never make it look safer', () => {
  fc.assert(
    fc.property(
      facts,
      weights,
      fc.bigInt({ min: 0n, max: 10n ** 30n }),
      fc.constantFrom(...RISK_FACTORS),
      (given, some, more, name) => {
        const policy = { threshold: 50, weights: some, high_risk_countries: [] as string[] }
        const { score } = assessRisk(given, policy)
        expect(assessRisk({ ...given, amount: given.amount + more }, policy).score).toBeGreaterThanOrEqual(
          score,
        )
        expect(
          assessRisk(given, { ...policy, weights: { ...some, [name]: 1 } }).score,
        ).toBeGreaterThanOrEqual(score)
        expect(
          assessRisk(given, { ...policy, high_risk_countries: ['KP', 'NL'] }).score,
        ).toBeGreaterThanOrEqual(score)
      },
    ),
  )
})

test('a sanctions hit is reviewed always, a high score unless the destination is whitelisted', () => {
  fc.assert(
    fc.property(facts, fc.integer({ min: 0, max: 100 }), fc.boolean(), (given, threshold, whitelisted) => {
      const assessed = assessRisk(given, { ...risk, threshold })
      const review = needsReview(assessed, whitelisted)
      if (assessed.sanctioned) expect([assessed.score, review]).toEqual([100, true])
      else expect(review).toBe(!whitelisted && assessed.score > threshold)
    }),
  )
})

test('distinguishes the usual from the unusual in each factor', () => {
  expect(assessRisk(calm, risk).score).toBe(0)
  expect(factor({ amount: 10_000_000n }, 'amount')).toEqual([100, '10 times 1 usdt, the average of 3'])
  expect(factor({ amount: 5_500_000n }, 'amount')[0]).toBe(50)
  expect(factor({ earlierAmounts: [] }, 'amount')).toEqual([
    20,
    'Too few earlier withdrawals to compare with',
  ])
  const to = calm.destination
  expect(factor({ destination: { ...to, paidBefore: 0 } }, 'destination')[0]).toBe(60)
  expect(factor({ destination: { ...to, paidBefore: 0, whitelisted: true } }, 'destination')[0]).toBe(0)
  expect(factor({ destination: { ...to, whitelisted: true, sanctioned: true } }, 'destination')[0]).toBe(100)
  expect(factor({ frequency: { lastDay: 4, usualPerDay: 1 } }, 'frequency')[0]).toBe(0)
  expect(factor({ frequency: { lastDay: 9, usualPerDay: 1 } }, 'frequency')[0]).toBe(100)
  expect(factor({ frequency: { lastDay: 9, usualPerDay: 5 } }, 'frequency')[0]).toBe(0)
  const from = (country: string | null | undefined) =>
    factor({ geography: { country, usual: ['NL'] } }, 'geography', { ...risk, high_risk_countries: ['KP'] })
  expect(from(undefined)).toEqual([0, 'Neutral: no GeoIP database is configured'])
  expect(from(null)[0]).toBe(0)
  expect(from('NL')[0]).toBe(0)
  expect(from('DE')).toEqual([60, 'Asked for from DE; before from NL'])
  expect(from('KP')[0]).toBe(100)
  expect(factor({ behaviour: { ...calm.behaviour, unpaid: 2 } }, 'behaviour')[0]).toBe(40)
  expect(factor({ behaviour: { ...calm.behaviour, hour: 3 } }, 'behaviour')[0]).toBe(30)
  // Half past eleven at night and midnight are neighbours.
  expect(factor({ behaviour: { unpaid: 0, hour: 0, usualHours: Array(10).fill(23) } }, 'behaviour')[0]).toBe(
    0,
  )
})

test('finds a listed address in every notation', () => {
  const evm = '0x742d35Cc6634C0532925a3b844Bc454e4438f44e'
  expect(sanctionKey(` ${evm} `)).toBe(sanctionKey(evm.toLowerCase()))
  const bech32 = 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080'
  expect(sanctionKey(bech32.toUpperCase())).toBe(sanctionKey(bech32))
  expect(sanctionKey('bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a')).toBe(
    'qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a',
  )
  // Base58: another case is another address.
  expect(sanctionKey('1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa')).toBe('1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa')
})
