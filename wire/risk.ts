/** How risky a withdrawal or a batch looked when it was requested. */

import { z } from 'zod'
import { RISK_FACTORS } from '../domain/controls/policy.js'

export const Risk = z
  .object({
    score: z.number().meta({ description: '0 to 100.' }),
    threshold: z.number().meta({
      description: 'Above this score a person reviews the request, unless its destination is whitelisted.',
    }),
    sanctioned: z.boolean().meta({ description: 'True when the destination is on a sanctions list.' }),
    factors: z
      .array(
        z.object({ name: z.enum(RISK_FACTORS), score: z.number(), weight: z.number(), reason: z.string() }),
      )
      .readonly(),
  })
  .meta({ id: 'Risk', description: 'The risk score of a request, with the factors that it is made of.' })
export type Risk = z.infer<typeof Risk>
