/** Amounts: base units and decimal strings are the same amount. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatAmount, formatDigits, MAX_BASE_UNITS, parseAmount } from '../../domain/money.js'

test('formats base units without trailing zeros, with the sign of a negative amount', () => {
  expect(formatAmount(100_500_000n, 6)).toBe('100.5')
  expect(formatAmount(0n, 8)).toBe('0')
  expect(formatAmount(-1n, 8)).toBe('-0.00000001')
  expect(formatAmount(-150n, 2)).toBe('-1.5')
  expect(formatAmount(100n, 0)).toBe('100')
  expect(formatDigits('-100', 2)).toBe('-1')
})

test('parses what it formats', () => {
  fc.assert(
    fc.property(fc.bigInt(0n, MAX_BASE_UNITS), fc.integer({ min: 0, max: 30 }), (units, decimals) => {
      const text = formatAmount(units, decimals)
      expect(parseAmount(text, decimals)).toBe(units)
      expect(text).not.toMatch(/\.\d*0$|\.$/)
      expect(formatAmount(-units, decimals)).toBe(units === 0n ? '0' : `-${text}`)
    }),
  )
})
