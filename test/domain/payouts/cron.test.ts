/** Reads cron expressions, and finds those that never fire. */

import { expect, test } from 'vitest'
import { everFires, refuseCron } from '../../../domain/payouts/cron.js'

test.each(['* * * * *', '0 8 1 * *', '*/5 0-6,12 1-31/2 JAN-MAR mon-fri', '59 23 31 12 7'])(
  'accepts %s',
  (text) => {
    expect(refuseCron(text)).toBeNull()
  },
)

test.each([
  ['', 'five fields'],
  ['0 8 1 *', 'five fields'],
  ['0 0 8 1 * *', 'five fields'],
  ['@daily', 'five fields'],
  ['60 * * * *', 'minute'],
  ['* 24 * * *', 'hour'],
  ['* * 0 * *', 'day of the month'],
  ['* * * 13 *', 'month'],
  ['* * * * 8', 'day of the week'],
  ['* * * * FUN', 'day of the week'],
  ['5-1 * * * *', 'minute'],
  ['*/0 * * * *', 'minute'],
  ['1,,2 * * * *', 'minute'],
  ['1-2-3 * * * *', 'minute'],
  ['1/2/3 * * * *', 'minute'],
  ['CRON_TZ=Asia/Tokyo 0 8 1 *', 'minute'],
])('refuses "%s" because of its %s', (text, reason) => {
  expect(refuseCron(text)).toContain(reason)
})

const from = new Date('2026-11-28T12:00:30Z')
test.each([
  '* * * * *',
  '0 0 29 2 *',
  '0 0 29 2 MON',
  '0 8 13 * FRI',
  '5/20 0 31 1,2,4 *',
  '0 0 31 */2 0',
  '59 23 31 12 7',
])('knows that %s fires some time', (text) => {
  expect(refuseCron(text)).toBeNull()
  expect(everFires(text, from, null)).toBe(true)
})

test.each(['0 0 30 2 *', '0 0 31 4,6,9,11 *', '0 0 31 2-6/2 MON', '* * 30-31 FEB *'])(
  'knows that %s never fires',
  (text) => {
    expect(refuseCron(text)).toBeNull()
    expect(everFires(text, from, null)).toBe(false)
  },
)

test('knows that an expression which fires outside its time only never fires', () => {
  expect(everFires('0 12 28 11 *', from, new Date('2027-11-28T11:59:59Z'))).toBe(false)
  expect(everFires('0 12 28 11 *', from, new Date('2027-11-28T12:00:00Z'))).toBe(true)
  expect(everFires('1 12 28 11 *', from, new Date('2026-11-28T12:01:00Z'))).toBe(true)
  expect(everFires('0 12 28 11 *', new Date('2026-11-28T12:00:00Z'), new Date('2026-11-28T12:00:00Z'))).toBe(
    true,
  )
})
