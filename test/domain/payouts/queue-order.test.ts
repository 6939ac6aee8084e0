/** Orders the signing queue by urgency and age. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PRIORITIES, type Priority } from '../../../domain/payouts/priority.js'
import { HEAD_START_MS, priorityKey, queueScore } from '../../../domain/payouts/queue-order.js'

const MINUTE_MS = 60_000
const waiting = fc.record({
  priority: fc.constantFrom(...PRIORITIES),
  askedAt: fc.date({ min: new Date('2026-01-01'), max: new Date('2026-12-31'), noInvalidDate: true }),
})
const now = new Date('2027-01-01')

test('serves the more urgent of two that were requested together first', () => {
  const scores = PRIORITIES.map((priority) => queueScore(priority, now, now))
  expect(scores).toEqual([...scores].sort((a, b) => a - b))
  expect(new Set(scores).size).toBe(PRIORITIES.length)
})

test('serves the older of two equally urgent ones first, and keeps the order while they wait', () => {
  fc.assert(
    fc.property(waiting, waiting, fc.integer({ min: 0, max: 10 ** 9 }), (a, b, passed) => {
      const later = new Date(now.getTime() + passed)
      const before = queueScore(a.priority, a.askedAt, now) - queueScore(b.priority, b.askedAt, now)
      const after = queueScore(a.priority, a.askedAt, later) - queueScore(b.priority, b.askedAt, later)
      expect(after).toBe(before)
      if (a.priority === b.priority)
        expect(Math.sign(before)).toBe(Math.sign(b.askedAt.getTime() - a.askedAt.getTime()) || 0)
    }),
  )
})

test('lets no request of 40 minutes later overtake, at any urgency', () => {
  fc.assert(
    fc.property(waiting, waiting, (old, young) => {
      if (young.askedAt.getTime() - old.askedAt.getTime() < 40 * MINUTE_MS) return
      expect(queueScore(old.priority, old.askedAt, now)).toBeGreaterThanOrEqual(
        queueScore(young.priority, young.askedAt, now),
      )
    }),
  )
})

test('gives steps keys from 1 to 5, and raises each to the first with age', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...PRIORITIES),
      fc.integer({ min: -1_000, max: 10 ** 9 }),
      (priority, age) => {
        const key = priorityKey(priority as Priority, age)
        expect(key).toBeGreaterThanOrEqual(1)
        expect(key).toBeLessThanOrEqual(5)
        expect(priorityKey(priority as Priority, age + MINUTE_MS)).toBeLessThanOrEqual(key)
        expect(priorityKey(priority as Priority, HEAD_START_MS.urgent)).toBe(1)
      },
    ),
  )
  expect(PRIORITIES.map((priority) => priorityKey(priority, 0))).toEqual([5, 4, 3, 1])
})
