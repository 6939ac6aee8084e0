/** Figures of a webhook endpoint within a window of time. */

import { z } from 'zod'
import { FAILURE_CLASSES } from '../domain/events/failure-class.js'

const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const LONGEST_MS = 30 * UNIT_MS.d

const count = z.int().min(0)

/** The query of `GET /webhook-endpoints/{id}/stats`. */
export const StatsWindow = z.strictObject({
  window: z
    .string()
    .regex(/^[1-9]\d{0,6}[smhd]$/, 'is a number and s, m, h or d, such as "15m"')
    .refine((text) => windowMs(text) <= LONGEST_MS, 'is at most 30d')
    .default('1h')
    .meta({ example: '1h', description: 'How far back the figures reach: up to 30d.' }),
})
export type StatsWindow = z.input<typeof StatsWindow>

/** The figures. Test events do not count. */
export const WebhookStats = z
  .object({
    attempts: count.meta({ description: 'Attempts with a result.' }),
    success_rate: z
      .number()
      .min(0)
      .max(1)
      .nullable()
      .meta({ description: 'Share of attempts that you accepted. `null` where there was no attempt.' }),
    p50_ms: z.int().nullable().meta({ description: 'Half of the attempts took at most this long.' }),
    p99_ms: z.int().nullable(),
    oldest_undelivered_at: z.iso
      .datetime()
      .nullable()
      .meta({ description: 'Creation of the oldest pending or held delivery, also before the window.' }),
    by_status_code: z
      .record(z.string(), count)
      .meta({ example: { '200': 40, '503': 2 }, description: 'Attempts by the status of the answer.' }),
    by_failure_class: z
      .partialRecord(z.enum(FAILURE_CLASSES), count)
      .meta({ example: { endpoint_error: 2 }, description: 'Failed attempts by their class.' }),
  })
  .meta({ id: 'WebhookStats', description: 'How an endpoint did within a window of time.' })
export type WebhookStats = z.infer<typeof WebhookStats>

/** Returns the milliseconds of a valid window. */
export function windowMs(text: string): number {
  return Number(text.slice(0, -1)) * UNIT_MS[text.slice(-1) as keyof typeof UNIT_MS]
}
