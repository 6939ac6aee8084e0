/** Health and readiness of a process, for operators and their machines. */

import { z } from 'zod'

export const Health = z.object({ status: z.literal('ok') })
export type Health = z.infer<typeof Health>

export const Dependency = z
  .object({
    name: z.string().meta({ description: '`postgres`, `temporal`, `signer`, or the name of a network.' }),
    ok: z.boolean(),
    needed: z.boolean().meta({ description: 'Whether this process serves nothing without it.' }),
    reason: z.string().nullable().meta({
      description:
        'What is wrong. It also names nodes that are not used (another chain, no transaction index). `null` when all is well.',
    }),
    lag_seconds: z.number().nullable(),
  })
  .meta({ id: 'Dependency', description: 'A part that this installation depends on.' })
export type Dependency = z.infer<typeof Dependency>

export const Readiness = z
  .object({
    status: z.enum(['ready', 'not_ready']),
    postgres: z.enum(['ok', 'down']),
    temporal: z.enum(['ok', 'down', 'not_configured']).meta({
      description: 'It does not count: while it is down, requests are accepted and processed later.',
    }),
    dependencies: z.array(Dependency).readonly(),
  })
  .meta({ id: 'Readiness', description: 'Whether this process can serve requests.' })
export type Readiness = z.infer<typeof Readiness>
