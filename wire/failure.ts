/** Why a payout or a firing ended without being paid. */

import { z } from 'zod'

export const Failure = z
  .object({ code: z.string().meta({ example: 'EXPIRED' }), message: z.string() })
  .meta({ id: 'Failure', description: 'Why it failed: a code for programs and a sentence for people.' })
export type Failure = z.infer<typeof Failure>
