/** The body of a decision that a person must explain. */

import { z } from 'zod'

export const Reason = z
  .strictObject({ reason: z.string().min(1).max(1_000) })
  .meta({ description: 'Why a person decided so; it is kept in the audit log.' })
export type Reason = z.infer<typeof Reason>
