/** Computes fee shares, watermarks and low balances of movements. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { highestWorthwhileFee, isLow, isWorth, rebalanceOf } from '../../../domain/payouts/treasury.js'

const amount = fc.bigInt({ min: 0n, max: 10n ** 24n })
const percent = fc.integer({ min: 1, max: 9_999 }).map((basisPoints) => basisPoints / 100)

test('accepts the highest worthwhile fee, and not one more', () => {
  fc.assert(
    fc.property(amount, percent, (value, share) => {
      const highest = highestWorthwhileFee(value, share)
      expect(isWorth(value, highest, share)).toBe(true)
      expect(isWorth(value, highest + 1n, share)).toBe(false)
    }),
  )
})

test('rebalances to the middle of the watermarks, and moves nothing between them', () => {
  fc.assert(
    fc.property(amount, amount, amount, (balance, one, other) => {
      const [low, high] = one < other ? [one, other] : [other, one + 1n]
      const found = rebalanceOf(balance, { low, high })
      if (!found) {
        expect(balance >= low && balance <= high).toBe(true)
        return
      }
      expect(found.amount).toBeGreaterThan(0n)
      const after = found.direction === 'to_master' ? balance - found.amount : balance + found.amount
      expect(after).toBe((low + high) / 2n)
      expect(rebalanceOf(after, { low, high })).toBeNull()
    }),
  )
})

test('keeps a wallet low until it is a tenth above its mark', () => {
  expect(isLow(99n, 100n, false)).toBe(true)
  expect(isLow(100n, 100n, false)).toBe(false)
  expect(isLow(109n, 100n, true)).toBe(true)
  expect(isLow(110n, 100n, true)).toBe(false)
  expect(isLow(0n, 0n, false)).toBe(false)
})
