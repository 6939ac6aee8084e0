/** Reports of a month. */

import { z } from 'zod'
import { PeriodName } from './period.js'

/** Times in seconds. The percentiles are `null` when nothing happened. */
const durations = z.object({ count: z.int(), p50: z.number().nullable(), p95: z.number().nullable() })

export const SettlementReport = z
  .object({
    network: z.string(),
    coin: z.string(),
    float: z.string().meta({
      description:
        "What was credited and neither withdrawn nor consolidated: on users' deposit addresses at the end of the period, or now.",
    }),
    credit_seconds: durations.meta({
      description: 'From the first sight of a deposit to its credit, of those credited in the period.',
    }),
    confirmation_seconds: durations.meta({
      description: 'From the request of a withdrawal to its confirmation, of those confirmed in the period.',
    }),
    provisional: z.boolean().meta({ description: 'Whether the period has not ended yet.' }),
  })
  .meta({ id: 'SettlementReport', description: 'How one coin settled in a month.' })
export type SettlementReport = z.infer<typeof SettlementReport>

/** The query of `GET /reports/settlement`. */
export const SettlementQuery = z.strictObject({ period: PeriodName })
export type SettlementQuery = z.input<typeof SettlementQuery>
