/** Creates the routes that every backend has: webhooks, support, exceptions and the daily comparison. */

import { ApiError, verifyWebhook, WebhookVerificationError } from '@keyturn/client'
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { HTTPException } from 'hono/http-exception'
import { ZodError } from 'zod'
import type { Books } from './books.js'
import type { Comparison } from './compare.js'
import type { Exception } from './exceptions.js'
import { isRefusal } from './request-payment.js'

const MAX_BODY_BYTES = 1_048_576

export interface AppParts<Own> {
  readonly books: Books<Own>
  /** Secret of the webhook endpoint, `whsec_…`. */
  readonly secret: string
  exceptions(): readonly Exception[]
  compare(): Promise<Comparison>
}

/** Creates the app. Its caller adds the routes of its own. */
export function createExampleApp<Own>({ books, secret, exceptions, compare }: AppParts<Own>): Hono {
  const app = new Hono()
  app.use(bodyLimit({ maxSize: MAX_BODY_BYTES }))
  app.onError((error, c) => {
    if (error instanceof ZodError) return c.json({ error: error.issues.map((issue) => issue.message) }, 400)
    if (error instanceof SyntaxError) return c.json({ error: 'The body is not JSON' }, 400)
    if (error instanceof HTTPException) return c.json({ error: error.message }, error.status)
    if (error instanceof ApiError) return c.json({ error: error.message }, isRefusal(error) ? 422 : 502)
    console.error(error)
    return c.json({ error: 'The backend failed' }, 500)
  })

  app.post('/webhooks', async (c) => {
    // The signature covers these bytes. JSON that was parsed and written again would have others.
    const body = new Uint8Array(await c.req.arrayBuffer())
    try {
      books.take(verifyWebhook(c.req.header(), body, secret))
    } catch (error) {
      if (error instanceof WebhookVerificationError) return c.json({ error: error.message }, 401)
      throw error
    }
    // The event is on the disk now. An earlier answer could lose it.
    return c.body(null, 204)
  })

  /** Finds payments by order id or payment id, with each status, its time and its cause. */
  app.get('/support/:id', (c) => {
    const id = c.req.param('id')
    const found = [...books.payments.values()].filter(
      ({ payment_id, order_id }) => payment_id === id || order_id === id,
    )
    return c.json(
      found.map(({ payment_id, order_id, status, flags, history }) => ({
        payment_id,
        order_id,
        status,
        flags,
        history,
      })),
    )
  })
  app.get('/exceptions', (c) => c.json(exceptions()))
  app.post('/comparisons', async (c) => c.json(await compare()))
  app.get('/healthz', (c) => c.text('ok'))
  return app
}

/** Returns what a route looked up. @throws HTTPException, answered as 404, when there is none. */
export function found<T>(value: T | undefined): T {
  if (value === undefined) throw new HTTPException(404, { message: 'There is no such thing' })
  return value
}
