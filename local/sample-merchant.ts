/**
 * A merchant's backend for the local stack. It receives webhooks at `/webhooks`, verifies them over the raw
 * bytes, keeps them in a file, and lists them at `/received`, oldest first.
 */

import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { z } from 'zod'
import { verifyWebhook, WebhookVerificationError } from '../client/verify-webhook.js'

const environment = z
  .object({
    SAMPLE_MERCHANT_PORT: z.coerce.number().int(),
    /** Secret of the endpoint, `whsec_…`. */
    SAMPLE_MERCHANT_SECRET: z.string(),
    /** File with one line of JSON for each webhook. */
    SAMPLE_MERCHANT_FILE: z.string(),
  })
  .parse(process.env)

const received: string[] = existsSync(environment.SAMPLE_MERCHANT_FILE)
  ? readFileSync(environment.SAMPLE_MERCHANT_FILE, 'utf8').split('\n').filter(Boolean)
  : []

/** Whether the platform sent a webhook. This backend keeps the others too, so that `/received` shows them. */
function isGenuine(headers: Readonly<Record<string, string>>, body: Uint8Array): boolean {
  try {
    verifyWebhook(headers, body, environment.SAMPLE_MERCHANT_SECRET)
    return true
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false
    throw error
  }
}

const app = new Hono()

app.post('/webhooks', async (context) => {
  // The signature covers these bytes. JSON that was parsed and written again would have others.
  const body = new Uint8Array(await context.req.arrayBuffer())
  const verified = isGenuine(context.req.header(), body)
  const line = JSON.stringify({
    headers: context.req.header(),
    raw_body: Buffer.from(body).toString('utf8'),
    verified,
  })
  received.push(line)
  appendFileSync(environment.SAMPLE_MERCHANT_FILE, `${line}\n`, { mode: 0o600 })
  return verified ? context.body(null, 204) : context.text('The signature is not valid', 401)
})

app.get('/received', (context) =>
  context.body(`[${received.join(',')}]`, 200, { 'content-type': 'application/json' }),
)

app.get('/healthz', (context) => context.text('ok'))

const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: environment.SAMPLE_MERCHANT_PORT })

for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.on(signal, () => server.close(() => process.exit(0)))
