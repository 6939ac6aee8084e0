/** Checks the times of a withdrawal schedule. */

import { KeyturnError } from '../../domain/errors.js'
import { everFires, refuseCron } from '../../domain/payouts/cron.js'

const SECOND_MS = 1_000

/** Rounds up to a whole second, because Temporal's Schedules know no fractions. It stays within the year 9999. */
export function toSecond(text: string): Date {
  const second = new Date(Math.ceil(Date.parse(text) / SECOND_MS) * SECOND_MS)
  return second.getUTCFullYear() > 9_999 ? new Date(second.getTime() - SECOND_MS) : second
}

/** Checks that a schedule has one rule and fires at least once. @throws KeyturnError `VALIDATION_FAILED`. */
export function checkScheduleTimes(
  body: {
    readonly cron?: string | undefined
    readonly interval_seconds?: number | undefined
    readonly start_at?: string | undefined
    readonly end_at?: string | undefined
  },
  now: Date,
): { readonly startAt: Date; readonly endAt: Date | null } {
  if ((body.cron === undefined) === (body.interval_seconds === undefined)) {
    throw refused('cron', 'send either cron or interval_seconds')
  }
  const wrong = body.cron === undefined ? null : refuseCron(body.cron)
  if (wrong !== null) throw refused('cron', wrong)
  const startAt = toSecond(body.start_at ?? now.toISOString())
  const endAt = body.end_at === undefined ? null : toSecond(body.end_at)
  if (endAt !== null && (endAt <= startAt || endAt <= now)) {
    throw refused('end_at', 'must be after start_at and in the future')
  }
  if (body.cron !== undefined && !everFires(body.cron, startAt > now ? startAt : now, endAt)) {
    const until = endAt === null ? '' : ' before end_at'
    throw refused('cron', `never fires${until}. Day of the month and day of the week must both match`)
  }
  return { startAt, endAt }
}

function refused(path: string, reason: string): KeyturnError {
  return new KeyturnError('VALIDATION_FAILED', `${path} ${reason}`, {
    details: { in: 'body', fields: [{ path, reason }] },
  })
}
