/** The lifecycle mapping: what the states of a merchant's orders ask of their payments. And uploads of orders. */

import { z } from 'zod'
import { PAYMENT_STATUSES } from '../domain/payments/payment-status.js'

const MOST_GATES = 50
/** Longest duration: a hundred years of days have five digits. */
const DURATION = /^\d{1,9}(?:\.\d{1,3})?(?:ms|s|m|h|d)$/

const gateName = z
  .string()
  .min(1)
  .max(100)
  .regex(/^\P{Cc}*$/u, 'holds a control character')
  .meta({ example: 'ready_to_ship', description: 'State of orders, as the merchant names it.' })

export const LifecycleGate = z
  .strictObject({
    gate: gateName,
    satisfied_by: z
      .array(z.enum(PAYMENT_STATUSES))
      .min(1)
      .max(PAYMENT_STATUSES.length)
      .refine((statuses) => new Set(statuses).size === statuses.length, 'names a status twice')
      .readonly()
      .meta({ description: 'Statuses of a payment that fulfil it.' }),
    stuck_after: z.string().regex(DURATION, 'is a duration such as 15m').meta({
      example: '15m',
      description: 'Time after which an order is stuck whose payment does not fulfil it.',
    }),
  })
  .meta({ id: 'LifecycleGate', description: 'A state of orders, and what it asks of their payments.' })
export type LifecycleGate = z.infer<typeof LifecycleGate>

/** The body of `PUT /lifecycle-mapping`. */
export const LifecycleMappingUpdate = z.strictObject({
  gates: z
    .array(LifecycleGate)
    .min(1)
    .max(MOST_GATES)
    .refine((gates) => new Set(gates.map(({ gate }) => gate)).size === gates.length, 'names a gate twice')
    .meta({ description: 'Gates, in the order in which an order reaches them.' }),
  orders: z.enum(['complete']).optional().meta({
    description: '`complete`: every payment with money has an order, so that one without is a difference.',
  }),
})
export type LifecycleMappingUpdate = z.input<typeof LifecycleMappingUpdate>

export const LifecycleMapping = z
  .object({
    version: z.int().min(0).meta({
      description: 'Counted by the platform. 0 is the mapping of merchants that stored none.',
    }),
    gates: z.array(LifecycleGate).readonly(),
    orders: z.enum(['complete']).nullable(),
    created_at: z.iso.datetime().nullable().meta({ description: '`null` for version 0.' }),
  })
  .meta({ id: 'LifecycleMapping', description: 'A version of the mapping. It never changes.' })
export type LifecycleMapping = z.infer<typeof LifecycleMapping>

export const RejectedLine = z
  .object({
    line: z.int().min(1).meta({ description: 'Line in the file, from 1, the head included.' }),
    reason: z.string(),
  })
  .meta({ id: 'RejectedLine', description: 'A line of an upload that was not taken.' })
export type RejectedLine = z.infer<typeof RejectedLine>

/** The answer to `POST /reconciliation/orders`. */
export const OrderUpload = z
  .object({
    id: z.string().meta({ example: 'upl_0193…' }),
    accepted: z.int().min(0).meta({ description: 'Lines that were stored.' }),
    rejected: z
      .array(RejectedLine)
      .readonly()
      .meta({ description: 'The first 1,000 lines that were not, with the reason of each.' }),
    rejected_count: z.int().min(0).meta({ description: 'All lines that were not stored.' }),
  })
  .meta({ id: 'OrderUpload', description: 'Orders that were uploaded.' })
export type OrderUpload = z.infer<typeof OrderUpload>
