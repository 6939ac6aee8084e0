/** A line of an upload of orders is taken exactly as it is written, or it is rejected with a reason. */

import { describe, expect, test } from 'vitest'
import { readOrderLine } from '../../../domain/books/order-line.js'
import { testNetworks } from '../../stage/test-networks.js'

const networks = testNetworks({ BITCOIN_ENABLED: 'true', ETHEREUM_ENABLED: 'true' })
const NOW = new Date('2026-11-29T12:00:00Z')
const LINE = { order_id: 'o-1', network: 'bitcoin', coin: 'btc', amount: '0.5', state: 'paid' }
const read = (change: Record<string, unknown>) =>
  readOrderLine({ ...LINE, at: '2026-11-28T10:00:00Z', ...change }, networks, new Set(['paid']), NOW)
const atOf = (at: string) => {
  const line = read({ at })
  return typeof line === 'string' ? line : line.at.toISOString()
}
const amountOf = (amount: string, more: Record<string, unknown> = {}) => {
  const line = read({ amount, ...more })
  return typeof line === 'string' ? line : line.amount
}

describe('the time', () => {
  test.each([
    ['2026-11-28T10:00Z', '2026-11-28T10:00:00.000Z'],
    ['2026-11-28T10:00:00.123456789Z', '2026-11-28T10:00:00.123Z'],
    ['2026-11-28T00:30:00+02:00', '2026-11-27T22:30:00.000Z'],
    ['2024-02-29T23:59:59-11:00', '2024-03-01T10:59:59.000Z'],
    ['1970-01-01T00:00:00Z', '1970-01-01T00:00:00.000Z'],
    ['2026-11-30T12:00:00Z', '2026-11-30T12:00:00.000Z'],
  ])('takes %s', (text, taken) => {
    expect(atOf(text)).toBe(taken)
  })

  test.each([
    '2026-02-31T10:00:00Z',
    '2026-02-29T10:00:00+02:00',
    '2026-11-31T10:00Z',
    '2026-11-27T24:00:00Z',
  ])('rejects %s, which does not exist', (text) => {
    expect(atOf(text)).toBe('at is a day or an hour that does not exist')
  })

  test.each([
    '2026-13-01T10:00:00Z',
    '2026-11-00T10:00:00Z',
    '2026-11-28T10:60:00Z',
    '2026-11-28T10:00:60Z',
    '2026-11-28T10:00:00',
    '2026-11-28',
    '28.11.2026 10:00',
    '1764324000',
  ])('rejects %s, which is no instant', (text) => {
    expect(atOf(text)).toBe('at must be an instant in ISO 8601')
  })

  test.each(['9999-01-01T00:00:00Z', '2026-11-30T12:00:01Z', '2027-11-28T10:00:00Z'])(
    'rejects %s, because an order of the future is never late',
    (text) => {
      expect(atOf(text)).toBe('at is more than a day in the future')
    },
  )

  test.each(['0000-01-01T00:00:00Z', '1969-12-31T23:59:59Z', '1970-01-01T00:00:00+01:00'])(
    'rejects %s, which lies before all coins',
    (text) => {
      expect(atOf(text)).toBe('at is before 1970')
    },
  )
})

describe('the amount', () => {
  test('is exact down to the smallest unit and up to the largest amount', () => {
    expect(amountOf('0.00000001')).toBe(1n)
    expect(amountOf('1.50000000000')).toBe(150_000_000n)
    expect(amountOf('0')).toBe(0n)
    const most = (1n << 256n) - 1n
    const text = `${most / 10n ** 18n}.${String(most % 10n ** 18n).padStart(18, '0')}`
    expect(amountOf(text, { network: 'ethereum', coin: 'eth' })).toBe(most)
  })

  test.each([
    '1e3',
    '+1',
    '-1',
    '1,5',
    '1.000,50',
    '1 000',
    '.5',
    '5.',
    '01',
    '0x10',
    'NaN',
    'Infinity',
    ' 1',
    '１',
  ])('rejects "%s"', (text) => {
    expect(amountOf(text)).toMatch(/^amount: /)
  })

  test('rejects more decimal places than the coin has, and more than 2^256 units', () => {
    expect(amountOf('0.000000001')).toBe('amount: The amount has more than 8 decimal places')
    const above = `${(1n << 256n) / 10n ** 18n + 1n}`
    expect(amountOf(above, { network: 'ethereum', coin: 'eth' })).toBe('amount: The amount is too large')
  })
})

test('rejects letters that the database does not store', () => {
  expect(read({ order_id: 'a\u0000b' })).toBe('order_id holds a control character')
  expect(read({ user_reference: '\uD800' })).toBe('user_reference holds a control character')
  expect(read({ order_id: 'x'.repeat(256) })).toBe('order_id is longer than 255 characters')
  expect(read({ order_id: '注文-\u{1F600}' })).toMatchObject({ orderId: '注文-\u{1F600}' })
})
