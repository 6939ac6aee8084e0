/** Webhook endpoints: where a merchant's events go. */

import { z } from 'zod'
import { CIRCUIT_STATES } from '../domain/events/circuit.js'
import { ENDPOINT_STATUSES } from '../domain/events/endpoint-status.js'
import { EVENT_TYPES } from '../domain/events/event.js'
import { NEWEST_SCHEMA_VERSION, SCHEMA_VERSIONS } from '../domain/events/schema-version.js'
import { DayOrInstant } from './time.js'

const DEFAULT_GRACE_SECONDS = 86_400
const MAX_GRACE_SECONDS = 604_800
const MAX_RATE = 10_000

/** Types of events that an endpoint subscribes to, or that a replay sends. */
export const eventTypes = z
  .array(z.enum([...EVENT_TYPES, '*']))
  .min(1)
  .max(EVENT_TYPES.length + 1)
  .readonly()
  .nullable()
  .meta({ description: 'Types of events that the endpoint receives. `null` or "*": all.' })
const format = z.enum(['keyturn', 'layer1']).meta({
  description:
    '`layer1` sends deposits and balances as layer1:digital:… events. Events that this format lacks are sent as usual.',
})
const schemaVersion = z.enum(SCHEMA_VERSIONS).meta({
  description: 'Version of the data of events. It affects later events only: a delivery keeps its bytes.',
})
const maxRate = z.int().min(1).max(MAX_RATE).nullable().meta({
  description: 'Most deliveries a second, attempts of all kinds included: 1 to 10,000. `null`: no limit.',
})
const url = z.string().min(1).max(2_048).meta({ example: 'https://shop.example/webhooks' })

export const WebhookEndpoint = z
  .object({
    id: z.string().meta({ example: 'whe_0193…' }),
    url: z.string(),
    event_types: z.array(z.string()).readonly().nullable(),
    format,
    schema_version: schemaVersion,
    max_rate: maxRate,
    status: z.enum(ENDPOINT_STATUSES).meta({
      description:
        'Deliveries of an endpoint that is `paused` or `disabled` are held, and their 24 hours stand still. `disabled`: through the API, or because it answered 410.',
    }),
    circuit: z.enum(CIRCUIT_STATES).meta({
      description:
        '`open` after 20 deliveries in a row failed: one probe an interval is sent, and the other deliveries wait. `half_open`: they are being sent, in the order of their events.',
    }),
    previous_secret_until: z.iso
      .datetime()
      .nullable()
      .meta({ description: 'Until then the secret before the last rotation signs too.' }),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'WebhookEndpoint', description: 'A URL to which events are delivered.' })
export type WebhookEndpoint = z.infer<typeof WebhookEndpoint>

/** The answer to `DELETE /webhook-endpoints/{id}`. */
export const DeletedWebhookEndpoint = WebhookEndpoint.extend({ status: z.literal('deleted') }).meta({
  id: 'DeletedWebhookEndpoint',
  description: 'An endpoint that is gone from now on.',
})
export type DeletedWebhookEndpoint = z.infer<typeof DeletedWebhookEndpoint>

export const WebhookEndpointWithSecret = WebhookEndpoint.extend({
  secret: z
    .string()
    .meta({ description: 'The API shows it in this answer and never again.', example: 'whsec_…' }),
}).meta({ id: 'WebhookEndpointWithSecret', description: 'An endpoint with its new secret.' })
export type WebhookEndpointWithSecret = z.infer<typeof WebhookEndpointWithSecret>

/** The body of `POST /webhook-endpoints`. */
export const NewWebhookEndpoint = z.strictObject({
  url,
  event_types: eventTypes.optional(),
  format: format.default('keyturn'),
  schema_version: schemaVersion.default(NEWEST_SCHEMA_VERSION),
  max_rate: maxRate.default(null),
})
export type NewWebhookEndpoint = z.input<typeof NewWebhookEndpoint>

/** The body of `PATCH /webhook-endpoints/{id}`. */
export const WebhookEndpointChange = z.strictObject({
  url: url.optional(),
  event_types: eventTypes.optional(),
  format: format.optional(),
  schema_version: schemaVersion.optional(),
  max_rate: maxRate.optional(),
  status: z.enum(['active', 'disabled']).optional(),
})
export type WebhookEndpointChange = z.input<typeof WebhookEndpointChange>

/** The body of `/rotate-secret`. */
export const SecretRotation = z.strictObject({
  grace_seconds: z.int().min(0).max(MAX_GRACE_SECONDS).default(DEFAULT_GRACE_SECONDS),
})
export type SecretRotation = z.input<typeof SecretRotation>

/** The answer to a test event. */
export const WebhookTest = z
  .object({ event_id: z.string(), delivery_id: z.string(), endpoint_id: z.string() })
  .meta({ id: 'WebhookTest', description: 'The test event, and its delivery.' })
export type WebhookTest = z.infer<typeof WebhookTest>

/** The body of `/replay`. */
export const ReplayRange = z
  .strictObject({
    since: DayOrInstant.meta({ description: 'Inclusive.' }),
    until: DayOrInstant.meta({ description: 'Exclusive.' }),
    event_types: eventTypes.optional(),
  })
  .refine((range) => Date.parse(range.since) < Date.parse(range.until), {
    path: ['until'],
    message: 'must be after since',
  })
export type ReplayRange = z.input<typeof ReplayRange>
