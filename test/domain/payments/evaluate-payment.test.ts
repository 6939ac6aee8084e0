/** The value of a payment follows from its deposits alone. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DEPOSIT_STATUSES } from '../../../domain/deposits/deposit-status.js'
import { evaluatePayment, type PaymentDeposit } from '../../../domain/payments/evaluate-payment.js'
import { paymentAllowance } from '../../../domain/payments/payment-allowance.js'
import { PAYMENT_STATUSES } from '../../../domain/payments/payment-status.js'

const deposit: fc.Arbitrary<PaymentDeposit> = fc
  .record({
    coin: fc.constantFrom('usdt', 'usdt', 'usdt', 'eth'),
    amount: fc.bigInt({ min: 1n, max: 200n }),
    status: fc.constantFrom(...DEPOSIT_STATUSES),
    count: fc.integer({ min: 1, max: 3 }),
    rejected: fc.boolean(),
    late: fc.boolean(),
  })
  .map((each) => ({ ...each, rejected: each.rejected && each.status === 'held' }))
const past = fc.record({
  status: fc.constantFrom(...PAYMENT_STATUSES),
  reorged: fc.boolean(),
  reissued: fc.boolean(),
})
const terms = fc.record({
  coin: fc.constant('usdt'),
  amount: fc.option(fc.bigInt({ min: 1n, max: 200n })),
  allowance: fc.bigInt({ min: 0n, max: 20n }),
  expiresAt: fc.constant(100),
})

describe('a payment', () => {
  test('has sums that do not depend on its status, its time or the order of its deposits', () => {
    fc.assert(
      fc.property(terms, past, past, fc.array(deposit), fc.nat(), (asked, one, other, deposits, now) => {
        const here = evaluatePayment(asked, one, deposits, now)
        const there = evaluatePayment(asked, other, deposits.toReversed(), now + 1)
        expect([here.detected, here.confirmed]).toEqual([there.detected, there.confirmed])
        expect(here.confirmed).toBeLessThanOrEqual(here.detected)
      }),
    )
  })

  test('never leaves its end, and never reaches one that no person requested', () => {
    fc.assert(
      fc.property(terms, past, fc.array(deposit), fc.nat({ max: 300 }), (asked, before, deposits, now) => {
        const { status } = evaluatePayment(asked, before, deposits, now)
        if (before.status === 'expired' || before.status === 'cancelled') expect(status).toBe(before.status)
        else expect(status).not.toBe('cancelled')
        if (status === 'expired' && before.status !== 'expired') expect(now).toBeGreaterThanOrEqual(100)
      }),
    )
  })

  test('is confirmed exactly when enough was credited of what came in time', () => {
    fc.assert(
      fc.property(terms, fc.array(deposit), fc.nat({ max: 99 }), (asked, deposits, now) => {
        const before = { status: 'pending', reorged: false, reissued: false } as const
        const { status } = evaluatePayment(asked, before, deposits, now)
        let credited = 0n
        for (const each of deposits) {
          if (each.coin === 'usdt' && each.status === 'success' && !each.late) credited += each.amount
        }
        const least = asked.amount === null ? 1n : asked.amount - asked.allowance
        expect(status === 'confirmed').toBe(credited >= (least > 1n ? least : 1n))
      }),
    )
  })

  test('computed twice is the same', () => {
    fc.assert(
      fc.property(terms, past, fc.array(deposit), fc.nat({ max: 300 }), (asked, before, deposits, now) => {
        const once = evaluatePayment(asked, before, deposits, now)
        const again = evaluatePayment(asked, { ...before, ...once }, deposits, now)
        expect(again).toEqual(once)
      }),
    )
  })

  test('waits a day for a deposit that a reorg took back, and no longer', () => {
    const asked = { coin: 'usdt', amount: 5n, allowance: 0n, expiresAt: 100 }
    const before = { status: 'paid', reorged: false, reissued: false } as const
    const one = { coin: 'usdt', amount: 5n, count: 1, rejected: false, late: false }
    const gone = [{ ...one, status: 'reverted' } as const]
    expect(evaluatePayment(asked, before, gone, 100 + 86_399_999).status).toBe('pending')
    expect(evaluatePayment(asked, before, gone, 100 + 86_400_000).status).toBe('expired')
  })
})

test.each([
  [1_000n, { percent: '0.05' }, 0n],
  [2_000n, { percent: '0.05' }, 1n],
  [10n ** 30n, { percent: '99.999999999999999999' }, 10n ** 30n - 10n ** 10n],
  [1_000n, { percent: '1', absolute: '0.05' }, 10n],
  [1_000n, { percent: '0.1', absolute: '0.05' }, 5n],
  [1_000n, null, 0n],
])('allows of %s with %o to miss %s', (amount, tolerance, allowance) => {
  expect(paymentAllowance(amount, 2, tolerance)).toBe(allowance)
})
