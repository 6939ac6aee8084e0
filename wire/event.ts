/** Events: the envelope of webhooks and of `GET /events`, and the data of each type. */

import { z } from 'zod'
import { EVENT_TYPES } from '../domain/events/event.js'

/** The body of a webhook and an entry of `GET /events`: sealed once, then frozen bytes. */
export const EventEnvelope = z
  .object({
    id: z.string().meta({ example: 'evt_0193…' }),
    event: z.enum(EVENT_TYPES),
    timestamp: z.iso.datetime().meta({ description: 'When the change happened.' }),
    sequence: z.int().meta({ description: 'Counts the events of a merchant from 1, without a gap.' }),
    data: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Event', description: 'Something that happened to an object of the merchant.' })
export type EventEnvelope = z.infer<typeof EventEnvelope>

/** `balance.updated`: what a step of a deposit moved at its address. */
export const BalanceUpdated = z
  .object({
    address_id: z.string(),
    address: z.string(),
    label: z.string().nullable(),
    user_reference: z.string().nullable(),
    network: z.string(),
    coin: z.string(),
    funds: z
      .array(
        z.object({
          type: z.enum(['AVAILABLE', 'BLOCKCHAIN', 'RESERVED']),
          balance: z.string(),
          delta: z.string(),
        }),
      )
      .readonly(),
    deposit_id: z.string().nullable(),
  })
  .meta({ id: 'BalanceUpdated', description: 'The balances of an address after a step of a deposit.' })
export type BalanceUpdated = z.infer<typeof BalanceUpdated>
