/** API keys, with which a merchant's programs and people make requests. */

import { z } from 'zod'

/** Scopes that a merchant's key may have. */
export const MERCHANT_SCOPES = [
  'read',
  'payments',
  'withdrawals',
  'approvals',
  'webhooks',
  'policy',
  'reconciliation',
  'admin',
] as const

/** Longest overlap of a rotation: 30 days. */
const MOST_OVERLAP = 2_592_000
const DEFAULT_OVERLAP = 86_400

const range = z
  .union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], {
    error: 'is an IPv4 or IPv6 address or a CIDR, such as 192.0.2.0/24',
  })
  .meta({ example: '192.0.2.0/24' })

export const ApiKey = z
  .object({
    id: z.string().meta({ description: 'Stays when the key is rotated.', example: 'key_0193…' }),
    api_key: z.string().meta({ description: 'Sent as `X-Api-Key`.' }),
    name: z.string(),
    scopes: z.array(z.string()).readonly(),
    ip_allowlist: z.array(z.string()).readonly(),
    person_id: z.string().nullable(),
    created_at: z.iso.datetime(),
    last_used_at: z.iso
      .datetime()
      .nullable()
      .meta({ description: 'A few seconds late. `null`: never used.' }),
    previous: z
      .array(z.object({ api_key: z.string(), expires_at: z.iso.datetime() }))
      .readonly()
      .meta({ description: 'What rotations replaced and is still valid.' }),
  })
  .meta({ id: 'ApiKey', description: 'A key of the API, without its secret.' })
export type ApiKey = z.infer<typeof ApiKey>

export const ApiKeyWithSecret = ApiKey.extend({
  api_secret: z.string().meta({ description: 'Shown once. Its UTF-8 bytes are the HMAC key.' }),
}).meta({ id: 'ApiKeyWithSecret', description: 'A key of the API with its secret.' })
export type ApiKeyWithSecret = z.infer<typeof ApiKeyWithSecret>

export const NewApiKey = z
  .strictObject({
    name: z.string().trim().min(1).max(100),
    scopes: z
      .array(z.enum(MERCHANT_SCOPES))
      .min(1)
      .refine((scopes) => new Set(scopes).size === scopes.length, 'names each scope once'),
    ip_allowlist: z
      .array(range)
      .max(100)
      .meta({ description: 'From where requests that change something may come. Empty: from nowhere.' }),
    person_id: z
      .string()
      .max(255)
      .optional()
      .meta({ description: 'The person who uses it. Absent: a program.' }),
  })
  .meta({ id: 'NewApiKey', description: 'A key of the API to make.' })
export type NewApiKey = z.infer<typeof NewApiKey>

export const KeyRotation = z
  .strictObject({
    overlap_seconds: z.int().min(0).max(MOST_OVERLAP).default(DEFAULT_OVERLAP).meta({
      description: 'How long the replaced key and secret stay valid. 0 ends them at once.',
    }),
  })
  .meta({ id: 'KeyRotation', description: 'How a key of the API is rotated.' })
export type KeyRotation = z.input<typeof KeyRotation>

export const RevokedApiKey = z
  .object({ id: z.string(), revoked: z.literal(true) })
  .meta({ id: 'RevokedApiKey', description: 'A key of the API that was revoked.' })
export type RevokedApiKey = z.infer<typeof RevokedApiKey>
