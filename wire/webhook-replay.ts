/** Replays: past events, sent to one webhook endpoint again. */

import { z } from 'zod'
import { REPLAY_MODES, REPLAY_STATUSES } from '../domain/events/replay.js'
import { DayOrInstant } from './time.js'
import { eventTypes } from './webhook-endpoint.js'

const count = z.int().min(0)
const MOST_RATE = 1_000

export const ReplayMode = z.enum(REPLAY_MODES).meta({
  id: 'ReplayMode',
  description:
    '`failed`: events whose delivery was attempted and not accepted; one that waits for its next attempt is sent now. `missing`: events without a delivery, for example from before the endpoint was registered. `all`: every event.',
})
export type ReplayMode = z.infer<typeof ReplayMode>

/** A replay and its progress. */
export const WebhookReplay = z
  .object({
    id: z.string().meta({ example: 'whr_0193…' }),
    endpoint_id: z.string(),
    mode: ReplayMode,
    since: z.iso.datetime(),
    until: z.iso.datetime(),
    event_types: z.array(z.string()).readonly().nullable(),
    dry_run: z.boolean(),
    rate: z.int().nullable(),
    status: z.enum(REPLAY_STATUSES).meta({
      description:
        '`completed`: the first attempt of every delivery was made. `failed`: the endpoint was deleted.',
    }),
    failure: z.string().nullable().meta({ description: '`null` unless `failed`.' }),
    matched: count.meta({
      description: 'Deliveries that the mode selected. It is counted first; a large window takes a while.',
    }),
    sent: count.meta({ description: 'First attempts made.' }),
    delivered: count.meta({ description: 'Deliveries accepted, at the first attempt or later.' }),
    failed: count.meta({
      description: 'First attempts that failed. These deliveries go on by their own timers.',
    }),
    created_at: z.iso.datetime(),
    finished_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'WebhookReplay', description: 'Past events on their way to an endpoint again.' })
export type WebhookReplay = z.infer<typeof WebhookReplay>

/** The body of `POST /webhook-endpoints/{id}/replays`. */
export const NewWebhookReplay = z
  .strictObject({
    mode: ReplayMode,
    since: DayOrInstant.meta({ description: "Inclusive, by the event's `timestamp`." }),
    until: DayOrInstant.optional().meta({ description: 'Exclusive. Default: now.' }),
    event_types: eventTypes
      .optional()
      .meta({ description: 'Some of the types that the endpoint receives. Default: all of them.' }),
    dry_run: z.boolean().default(false).meta({ description: 'Only count.' }),
    rate: z
      .int()
      .min(1)
      .max(MOST_RATE)
      .optional()
      .meta({ description: 'Most deliveries a second: 1 to 1,000.' }),
  })
  .refine(({ since, until }) => until === undefined || Date.parse(since) < Date.parse(until), {
    path: ['until'],
    message: 'must be after since',
  })
export type NewWebhookReplay = z.input<typeof NewWebhookReplay>

/** The answer to `POST /webhook-endpoints/{id}/replay`, which starts a replay of the mode `all`. */
export const StartedReplay = WebhookReplay.extend({
  deliveries: count.meta({
    description: 'Deliveries that are made pending. Those that are about to be sent already do not count.',
  }),
}).meta({ id: 'StartedReplay', description: 'A replay of all events of a time range.' })
export type StartedReplay = z.infer<typeof StartedReplay>
