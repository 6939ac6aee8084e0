/** Webhook deliveries: one event to one endpoint, with every attempt. */

import { z } from 'zod'
import { DELIVERY_STATUSES } from '../domain/events/delivery-status.js'
import { FAILURE_CLASSES } from '../domain/events/failure-class.js'
import { pagingFields } from './paging.js'
import { windowFields } from './time.js'

const status = z.enum(DELIVERY_STATUSES)

export const WebhookFailureClass = z.enum(FAILURE_CLASSES).meta({
  id: 'WebhookFailureClass',
  description:
    'Why an attempt failed. docs/operating/webhooks.md has a section of the same name, which says who acts and how. `unreachable`: DNS, TCP or TLS. `endpoint_error`: 5xx, 404, 408 or 429. `signature_rejected`: 401 or 403. `contract_rejected`: another 4xx. `blocked`: the platform does not send to this address.',
})
export type WebhookFailureClass = z.infer<typeof WebhookFailureClass>

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
          failure_class: WebhookFailureClass.nullable().meta({
            description: '`null` for a success, and when the platform itself failed.',
          }),
          answer: z.string().nullable().meta({
            description:
              'The first kilobyte of your answer. What looks like a secret, a signature, a token, a key or an e-mail address is left out.',
          }),
        }),
      )
      .readonly()
      .meta({
        description: 'Oldest first. A list shows the newest 10 of each delivery, and one delivery all.',
      }),
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
  payment_id: z.string().optional().meta({ description: 'Deliveries of events that name this payment.' }),
  failure_class: WebhookFailureClass.optional().meta({
    description: 'Deliveries with at least one attempt that failed in this way.',
  }),
  ...windowFields,
})
export type DeliveryFilter = z.input<typeof DeliveryFilter>
