/** Route of the event log: every event, for merchants who poll instead of, or beside, webhooks. */

import { createRoute } from '@hono/zod-openapi'
import { listEvents } from '../../db/events/log/list-events.js'
import { EventEnvelope, EventRange } from '../../wire/event.js'
import type { ApiApp, ApiDependencies } from '../context.js'
import { listAnswer } from '../http/answer.js'
import { secured } from '../http/secured.js'

const list = createRoute({
  ...secured('read'),
  method: 'get',
  path: '/events',
  summary: 'Events after a sequence, in order and without a gap, each with its delivered bytes',
  tags: ['Webhooks'],
  request: {
    query: EventRange,
  },
  responses: {
    200: listAnswer(EventEnvelope, 'A page, oldest first; `next_cursor` is what `after` takes next'),
  },
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
