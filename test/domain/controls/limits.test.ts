/** Rolling limits as a rule. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Coin } from '../../../domain/chain/network.js'
import {
  bindingLimits,
  findExceeded,
  type LimitUse,
  limitExceeded,
  remaining,
  wholeUnits,
} from '../../../domain/controls/limits.js'

const usdt: Coin = { name: 'usdt', decimals: 6, contract: null, dust: 0n }
const use = fc.record({
  scope: fc.constantFrom('merchant' as const, 'user' as const, 'whitelist' as const),
  window: fc.constantFrom('daily' as const, 'monthly' as const),
  amount: fc.bigInt({ min: 0n, max: 10n ** 12n }),
  used: fc.bigInt({ min: 0n, max: 10n ** 12n }),
})

test('what is let through stays within every limit, and what is refused would have broken the tightest', () => {
  fc.assert(
    fc.property(
      fc.array(use, { maxLength: 6 }),
      fc.bigInt({ min: 1n, max: 10n ** 12n }),
      (uses, requested) => {
        const exceeded = findExceeded(requested, uses)
        if (exceeded === null) {
          for (const each of uses) expect(each.used + requested <= each.amount).toBe(true)
          return
        }
        expect(exceeded.used + requested > exceeded.amount).toBe(true)
        for (const each of uses) {
          if (each.used + requested > each.amount) expect(remaining(exceeded) <= remaining(each)).toBe(true)
        }
        // What is said to be available fits, and one unit more does not.
        const left = remaining(exceeded)
        expect(left < requested).toBe(true)
        if (exceeded.used <= exceeded.amount) {
          expect(findExceeded(left, [exceeded])).toBe(null)
          expect(findExceeded(left + 1n, [exceeded])).toBe(exceeded)
        }
      },
    ),
  )
})

test('describes an exceeded limit in whole coins', () => {
  const exceeded: LimitUse = { scope: 'user', window: 'daily', amount: 5_000_000_000n, used: 4_500_000_000n }
  const error = limitExceeded(exceeded, 1_000_000_000n, usdt)
  expect(error.code).toBe('DAILY_LIMIT_EXCEEDED')
  expect(error.details).toEqual({ limit: '5000', used: '4500', requested: '1000', available: '500' })
  expect(limitExceeded({ ...exceeded, window: 'monthly' }, 1n, usdt).code).toBe('MONTHLY_LIMIT_EXCEEDED')
  // Lowered below what was used already: nothing is available, not less than nothing.
  expect(limitExceeded({ ...exceeded, amount: 1n }, 1n, usdt).details.available).toBe('0')
})

test('a limit binds its own coin and network, users only where a user pays', () => {
  const limit = { network: 'ethereum', coin: 'usdt', daily: '10', monthly: null }
  const limits = { merchant: [{ ...limit, monthly: '100.5' }], user: [limit, { ...limit, coin: 'eth' }] }
  const entry = { daily: null, monthly: '7.0000009' }
  const of = (fields: object) =>
    bindingLimits(limits, { network: 'ethereum', coin: usdt, userReference: 'alice', entry, ...fields })
  expect(of({})).toEqual([
    { scope: 'merchant', window: 'daily', amount: 10_000_000n },
    { scope: 'merchant', window: 'monthly', amount: 100_500_000n },
    { scope: 'user', window: 'daily', amount: 10_000_000n },
    { scope: 'whitelist', window: 'monthly', amount: 7_000_000n },
  ])
  expect(of({ userReference: null, entry: null }).map((each) => each.scope)).toEqual(['merchant', 'merchant'])
  expect(of({ network: 'polygon', entry: null })).toEqual([])
})

test('an amount finer than the coin is rounded down', () => {
  expect(wholeUnits('1.0000019', 6)).toBe(1_000_001n)
  expect(wholeUnits('1', 18)).toBe(10n ** 18n)
  expect(() => wholeUnits('-1', 6)).toThrow()
})
