/** Route of the event log: every event, for merchants who poll instead of, or beside, webhooks. */

import { createRoute, z } from '@hono/zod-openapi'
import { listEvents } from '../../db/events/log/list-events.js'
import { EVENT_TYPES } from '../../domain/events/event.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { listAnswer } from '../http/answer.js'
import { secured } from '../http/secured.js'

const eventView = z
  .object({
    id: z.string(),
    event: z.enum(EVENT_TYPES),
    timestamp: z.iso.datetime(),
    sequence: z.int(),
    data: z.record(z.string(), z.unknown()),
  })
  .openapi('Event')
const sequence = z
  .string()
  .regex(/^\d{1,18}$/, 'is a sequence: digits')
  .optional()

const list = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/events',
  summary: 'Events after a sequence, in order and without a gap, each with its delivered bytes',
  tags: ['Webhooks'],
  request: {
    query: z.strictObject({
      after: sequence.openapi({ description: 'The last sequence that you have; 0 for the beginning.' }),
      cursor: sequence.openapi({ description: 'The same, as `next_cursor` gives it.' }),
      limit: z.coerce.number().int().min(1).max(100).default(20),
    }),
  },
  responses: { 200: listAnswer(eventView, 'A page, oldest first; `next_cursor` is what `after` takes next') },
})

/** Registers `/events`. */
export function registerEventRoutes(app: ApiApp, { sql }: ApiDependencies): void {
  app.openapi(list, async (c) => {
    const { after, cursor, limit } = c.req.valid('query')
    const from = BigInt(after ?? cursor ?? '0')
    const rows = await listEvents(sql, c.get('merchantId'), from, limit + 1)
    const shown = rows.slice(0, limit)
    const pagination = {
      page: null,
      limit,
      has_more: rows.length > limit,
      next_cursor: String(shown.at(-1)?.sequence ?? from),
    }
    // Answer with the stored bytes, because parsing and writing them again could change what was signed.
    const data = shown.map((row) => row.body.toString('utf8')).join(',')
    const body = `{"success":true,"data":[${data}],"pagination":${JSON.stringify(pagination)}}`
    return c.body(body, 200, { 'Content-Type': 'application/json' }) as never
  })
}
