/** Declares the schemas of webhook endpoints. */

import { z } from '@hono/zod-openapi'
import { EVENT_TYPES } from '../../domain/events/event.js'

export const eventTypes = z
  .array(z.enum([...EVENT_TYPES, '*']))
  .min(1)
  .max(EVENT_TYPES.length + 1)
  .nullable()
  .openapi({ description: 'Only these; null or "*" for all.' })
export const format = z.enum(['keyturn', 'layer1']).openapi({
  description:
    '`layer1` sends deposits and balances as layer1:digital:… events; what that format has no event for comes as usual.',
})
export const url = z.string().min(1).max(2_048).openapi({ example: 'https://shop.example/webhooks' })

export const endpointView = z
  .object({
    id: z.string(),
    url: z.string(),
    event_types: z.array(z.string()).nullable(),
    format,
    status: z.enum(['active', 'disabled', 'deleted']),
    previous_secret_until: z.iso
      .datetime()
      .nullable()
      .openapi({ description: 'Until then the secret before the last rotation signs too.' }),
    created_at: z.iso.datetime(),
  })
  .openapi('WebhookEndpoint')
export const endpointWithSecret = endpointView
  .extend({ secret: z.string().openapi({ description: 'Shown now and never again.', example: 'whsec_…' }) })
  .openapi('WebhookEndpointWithSecret')
export const sent = z
  .object({ event_id: z.string(), delivery_id: z.string(), endpoint_id: z.string() })
  .openapi('WebhookTest')
export const replayed = z
  .object({
    endpoint_id: z.string(),
    deliveries: z
      .int()
      .openapi({ description: 'Deliveries that will be made; those pending anyway do not count.' }),
  })
  .openapi('WebhookReplay')

export const params = z.object({ id: z.string() })
export const tags = ['Webhooks']
export const json = <T extends z.ZodType>(schema: T, required = true) => ({
  body: { required, content: { 'application/json': { schema } } },
})
