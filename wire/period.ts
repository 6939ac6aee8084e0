/** Periods: the months in which the books are closed. */

import { z } from 'zod'

/** Name of a month in UTC, such as `2026-11`. */
export const PeriodName = z
  .string()
  .regex(/^[0-9]{4}-(0[1-9]|1[0-2])$/, 'is a month: 2026-11')
  .refine((month) => month >= '1970-01', 'begins in 1970 or later')
  .meta({ example: '2026-11', description: 'A month in UTC.' })

/** Block of a network with which the books agree. */
export const ProofBlock = z
  .object({ network: z.string(), block_number: z.int(), block_hash: z.string() })
  .meta({ id: 'ProofBlock', description: 'A final block up to which the books say what the chain says.' })
export type ProofBlock = z.infer<typeof ProofBlock>
