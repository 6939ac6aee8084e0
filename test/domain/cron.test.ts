import { expect, test } from 'vitest'
import { refuseCron } from '../../domain/cron.js'

test.each(['* * * * *', '0 8 1 * *', '*/5 0-6,12 1-31/2 JAN-MAR mon-fri', '59 23 31 12 7'])(
  '%s is a cron expression',
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
])('"%s" is none, because of its %s', (text, reason) => {
  expect(refuseCron(text)).toContain(reason)
})
