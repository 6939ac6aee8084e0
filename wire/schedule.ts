/** Withdrawal schedules: the same withdrawal again and again, and what became of each firing. */

import { z } from 'zod'
import { SCHEDULE_STATUSES } from '../domain/payouts/schedule-status.js'
import { Failure } from './failure.js'
import { pagingFields } from './paging.js'
import { Priority } from './priority.js'
import { Instant } from './time.js'
import { Amount, Metadata, NewWithdrawal } from './withdrawal.js'

const MIN_SECONDS = 60
const YEAR_SECONDS = 31_536_000
const MAX_CATCH_UP_SECONDS = 2_592_000

const time = Instant.meta({ example: '2026-01-31T08:00:00Z' })
const label = z.string().min(1).max(255).meta({ example: 'Payroll of the Lisbon office' })

export const ScheduleFiring = z
  .object({
    id: z.string().meta({ example: 'fir_0193…' }),
    nominal_at: z.string().meta({ description: 'Time for which it fired; its key.' }),
    fired_at: z.string().meta({ description: 'Time at which it fired.' }),
    outcome: z.enum(['created', 'refused']),
    withdrawal_id: z.string().nullable(),
    failure: Failure.extend({ details: z.record(z.string(), z.unknown()) }).nullable(),
  })
  .meta({ id: 'ScheduleFiring', description: 'What became of one firing of a schedule.' })
export type ScheduleFiring = z.infer<typeof ScheduleFiring>

export const WithdrawalSchedule = z
  .object({
    id: z.string().meta({ example: 'wsc_0193…' }),
    label: z.string(),
    status: z.enum(SCHEDULE_STATUSES),
    cron: z.string().nullable(),
    interval_seconds: z.number().nullable(),
    time_zone: z.literal('UTC'),
    start_at: z.string(),
    end_at: z.string().nullable(),
    catch_up_seconds: z.number(),
    withdrawal: z.object({
      network: z.string(),
      coin: z.string(),
      amount: z.string(),
      to_address: z.string(),
      from_address_id: z.string().nullable(),
      fee_payer: z.enum(['sender', 'recipient']),
      priority: Priority,
      user_reference: z.string().nullable(),
      metadata: z.record(z.string(), z.unknown()),
    }),
    missed: z.int().meta({
      description:
        'Number of firings that were left out: later than the catch-up window, or while an earlier one was under way.',
    }),
    last_firing: ScheduleFiring.nullable(),
    initiator: z.string(),
    co_initiators: z.array(z.string()).readonly().meta({
      description:
        'Others who changed what it pays. Like the initiator, they approve none of its withdrawals.',
    }),
    created_at: z.string(),
    updated_at: z.string(),
  })
  .meta({ id: 'WithdrawalSchedule', description: 'A withdrawal that is requested again and again.' })
export type WithdrawalSchedule = z.infer<typeof WithdrawalSchedule>

export const WithdrawalScheduleWithTimes = WithdrawalSchedule.extend({
  next_firings: z.array(z.string()).readonly().nullable().meta({
    description: 'The next five times at most. `null` while Temporal does not answer.',
  }),
}).meta({ id: 'WithdrawalScheduleWithTimes', description: 'A schedule with its next firings.' })
export type WithdrawalScheduleWithTimes = z.infer<typeof WithdrawalScheduleWithTimes>

/** The body of `POST /withdrawal-schedules`: with `cron` or with `interval_seconds`. */
export const NewWithdrawalSchedule = z.strictObject({
  label,
  cron: z.string().max(200).optional().meta({
    example: '0 8 1 * *',
    description:
      'Minute, hour, day of the month, month, day of the week; UTC. Day of the month and day of the week must both match: "0 8 13 * FRI" is every Friday the 13th. An expression that never fires is refused. Instead of interval_seconds.',
  }),
  interval_seconds: z
    .int()
    .min(MIN_SECONDS)
    .max(YEAR_SECONDS)
    .optional()
    .meta({ description: 'Counted from start_at, which is the first firing. Instead of cron.' }),
  start_at: time.optional().meta({ description: 'Default: now.' }),
  end_at: time.optional().meta({ description: 'No firing is later. Default: no end.' }),
  catch_up_seconds: z.int().min(MIN_SECONDS).max(MAX_CATCH_UP_SECONDS).optional().meta({
    description:
      'After an outage a firing that is later than this is left out. Default: KEYTURN_SCHEDULE_CATCH_UP.',
  }),
  paused: z.boolean().default(false),
  withdrawal: NewWithdrawal.omit({ external_id: true }),
})
export type NewWithdrawalSchedule = z.input<typeof NewWithdrawalSchedule>

/** The body of `PATCH /withdrawal-schedules/{id}`. */
export const WithdrawalScheduleChange = z.strictObject({
  label: label.optional(),
  paused: z.boolean().optional(),
  end_at: time.nullable().optional(),
  amount: Amount.optional(),
  priority: Priority.optional(),
  metadata: Metadata.optional(),
})
export type WithdrawalScheduleChange = z.input<typeof WithdrawalScheduleChange>

/** The query of `GET /withdrawal-schedules`. */
export const ScheduleFilter = z.strictObject({
  ...pagingFields,
  status: z.enum(SCHEDULE_STATUSES).optional(),
})
export type ScheduleFilter = z.input<typeof ScheduleFilter>
