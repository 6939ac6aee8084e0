/** The filter of payees: it forgets none, and takes few others for one. */

import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createPayeeFilter, type PayeeFilter } from '../../../domain/chain/payee-filter.js'

const hex = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => Buffer.from(bytes).toString('hex'))

function add(filter: PayeeFilter, payee: string): void {
  const bytes = Buffer.from(payee, 'hex')
  filter.add(bytes.readUInt32BE(0), bytes.readUInt32BE(4))
}

const payeeOf = (number: number) => createHash('sha256').update(`${number}`).digest('hex').slice(0, 40)

test('finds every payee that was added', () => {
  fc.assert(
    fc.property(
      fc.array(hex(20), { maxLength: 300 }),
      fc.integer({ min: 0, max: 10_000 }),
      (payees, capacity) => {
        const filter = createPayeeFilter(capacity)
        for (const payee of payees) add(filter, payee)
        for (const payee of payees) expect(filter.mayHave(payee)).toBe(true)
      },
    ),
  )
})

test('finds payees whose first bytes are all zeros or all ones', () => {
  const filter = createPayeeFilter(2)
  const payees = ['00'.repeat(20), 'ff'.repeat(20), `${'ff'.repeat(4)}${'00'.repeat(16)}`, '80'.repeat(20)]
  for (const payee of payees) add(filter, payee)
  expect(payees.filter((payee) => !filter.mayHave(payee))).toEqual([])
})

test('takes one stranger of forty for a payee when it is full, and one of four hundred when half full', () => {
  const filter = createPayeeFilter(20_000)
  const strangers = Array.from({ length: 20_000 }, (_, number) => payeeOf(1_000_000 + number))
  const mistaken = () => strangers.filter((payee) => filter.mayHave(payee)).length / strangers.length
  expect(mistaken()).toBe(0)
  for (let number = 0; number < filter.capacity / 2; number++) add(filter, payeeOf(number))
  expect(mistaken()).toBeLessThan(1 / 400 + 0.001)
  for (let number = filter.capacity / 2; number < filter.capacity; number++) add(filter, payeeOf(number))
  expect(mistaken()).toBeGreaterThan(0)
  expect(mistaken()).toBeLessThan(1 / 40 + 0.003)
  expect(filter.size).toBeGreaterThan(filter.capacity * 0.98)
})

test('counts a payee once, however often it is added', () => {
  const filter = createPayeeFilter(100)
  for (let time = 0; time < 5; time++) add(filter, payeeOf(1))
  expect(filter.size).toBe(1)
})
