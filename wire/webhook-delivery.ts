/** Webhook deliveries: one event to one endpoint, with every attempt. */

import { z } from 'zod'
import { DELIVERY_STATUSES } from '../domain/events/delivery-status.js'
import { pagingFields } from './paging.js'

const status = z.enum(DELIVERY_STATUSES)

export const WebhookDelivery = z
  .object({
    id: z.string().meta({ example: 'whd_0193…' }),
    event_id: z.string().meta({ description: 'Value of `webhook-id`, in every attempt.' }),
    endpoint_id: z.string(),
    event: z.string().meta({ example: 'deposit.status_changed' }),
    status,
    next_attempt_at: z.iso.datetime().nullable(),
    waiting_since: z.iso.datetime().nullable().meta({
      description:
        "Time since when the delivery waits for its endpoint's circuit, without attempts of its own. `null` if it does not wait.",
    }),
    created_at: z.iso.datetime(),
    delivered_at: z.iso.datetime().nullable(),
    attempts: z
      .array(
        z.object({
          number: z.int(),
          at: z.iso.datetime(),
          status_code: z.int().nullable(),
          duration_ms: z.int(),
          error: z.string().nullable(),
        }),
      )
      .readonly(),
  })
  .meta({ id: 'WebhookDelivery', description: 'The delivery of one event to one endpoint.' })
export type WebhookDelivery = z.infer<typeof WebhookDelivery>

/** The query of `GET /webhook-deliveries`. */
export const DeliveryFilter = z.strictObject({
  ...pagingFields,
  endpoint_id: z.string().optional(),
  status: status.optional(),
  event_id: z.string().optional(),
  event: z.string().optional(),
})
export type DeliveryFilter = z.input<typeof DeliveryFilter>
