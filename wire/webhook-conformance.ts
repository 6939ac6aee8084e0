/** The conformance test of a merchant's webhook consumer. */

import { z } from 'zod'

export const CONFORMANCE_CASES = [
  'valid',
  'repeated',
  'tampered',
  'wrong_secret',
  'stale',
  'out_of_order',
] as const

/** One request that was sent, and what the consumer answered. */
export const ConformanceCase = z
  .object({
    name: z.enum(CONFORMANCE_CASES).meta({
      description:
        '`repeated`: the bytes and id of `valid` again. `tampered`: changed after it was signed. `wrong_secret`: signed with a secret that is not yours. `stale`: signed an hour ago. `out_of_order`: an event from before that of `valid`.',
    }),
    expected: z.enum(['2xx', '4xx']).meta({ description: 'A consumer must refuse what it cannot verify.' }),
    answered: z.int().nullable().meta({ description: 'The status. `null` if no answer came.' }),
    passed: z.boolean(),
    error: z.string().nullable().meta({ description: 'Why no answer came. `null` if one came.' }),
  })
  .meta({ id: 'WebhookConformanceCase', description: 'One case of a conformance test.' })
export type ConformanceCase = z.infer<typeof ConformanceCase>

/** The report. */
export const WebhookConformance = z
  .object({
    endpoint_id: z.string(),
    passed: z.boolean().meta({ description: 'Whether every case passed.' }),
    cases: z.array(ConformanceCase).readonly(),
  })
  .meta({
    id: 'WebhookConformance',
    description: 'How the consumer of an endpoint answers right and wrong webhooks.',
  })
export type WebhookConformance = z.infer<typeof WebhookConformance>
