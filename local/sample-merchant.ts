/**
 * A merchant's backend for the local stack. It receives webhooks at `/webhooks`, verifies them over the raw
 * bytes, keeps them in a file, and lists them at `/received`, oldest first. At `/` it has a shop.
 */

import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { z } from 'zod'
import { createClient } from '../client/create-client.js'
import type { MerchantEvent } from '../client/types.js'
import { verifyWebhook, WebhookVerificationError } from '../client/verify-webhook.js'
import { createOrders } from './shop/orders.js'
import { createShop } from './shop/shop.js'
import { openTestCoins } from './shop/test-coins.js'

const environment = z
  .object({
    SAMPLE_MERCHANT_PORT: z.coerce.number().int(),
    /** Secret of the endpoint, `whsec_…`. */
    SAMPLE_MERCHANT_SECRET: z.string(),
    /** File with one line of JSON for each webhook. */
    SAMPLE_MERCHANT_FILE: z.string(),
    /** URL of the platform's API, which also serves the checkout pages. */
    SAMPLE_MERCHANT_API: z.url(),
    SAMPLE_MERCHANT_API_KEY: z.string(),
    SAMPLE_MERCHANT_API_SECRET: z.string(),
    SAMPLE_MERCHANT_ETHEREUM_RPC: z.url(),
    /** Absent without a Bitcoin node. */
    SAMPLE_MERCHANT_BITCOIN_RPC: z.url().optional(),
    SAMPLE_MERCHANT_BITCOIN_WIF: z.string().optional(),
  })
  .parse(process.env)

const received: string[] = existsSync(environment.SAMPLE_MERCHANT_FILE)
  ? readFileSync(environment.SAMPLE_MERCHANT_FILE, 'utf8').split('\n').filter(Boolean)
  : []
const orders = createOrders()
for (const line of received) {
  // Most lines are about other things, and there may be very many.
  if (!line.includes('payment.status_changed')) continue
  const { raw_body, verified } = JSON.parse(line)
  if (verified) orders.take(JSON.parse(raw_body))
}

/** Returns the event that the platform sent. `null` for others: this backend keeps them, so that `/received` shows them. */
function genuine(headers: Readonly<Record<string, string>>, body: Uint8Array): MerchantEvent | null {
  try {
    return verifyWebhook(headers, body, environment.SAMPLE_MERCHANT_SECRET)
  } catch (error) {
    if (error instanceof WebhookVerificationError) return null
    throw error
  }
}

const app = new Hono()

app.post('/webhooks', async (context) => {
  // The signature covers these bytes. JSON that was parsed and written again would have others.
  const body = new Uint8Array(await context.req.arrayBuffer())
  const event = genuine(context.req.header(), body)
  const verified = event !== null
  const line = JSON.stringify({
    headers: context.req.header(),
    raw_body: Buffer.from(body).toString('utf8'),
    verified,
  })
  received.push(line)
  appendFileSync(environment.SAMPLE_MERCHANT_FILE, `${line}\n`, { mode: 0o600 })
  if (event) orders.take(event)
  return verified ? context.body(null, 204) : context.text('The signature is not valid', 401)
})

app.get('/received', (context) =>
  context.body(`[${received.join(',')}]`, 200, { 'content-type': 'application/json' }),
)

app.get('/healthz', (context) => context.text('ok'))

const { SAMPLE_MERCHANT_BITCOIN_RPC: bitcoinRpc, SAMPLE_MERCHANT_BITCOIN_WIF: faucetWif } = environment
app.route(
  '/',
  createShop({
    client: createClient({
      baseUrl: environment.SAMPLE_MERCHANT_API,
      apiKey: environment.SAMPLE_MERCHANT_API_KEY,
      apiSecret: environment.SAMPLE_MERCHANT_API_SECRET,
    }),
    orders,
    checkoutOrigin: environment.SAMPLE_MERCHANT_API,
    coins: openTestCoins({
      ethereum: environment.SAMPLE_MERCHANT_ETHEREUM_RPC,
      ...(bitcoinRpc && faucetWif ? { bitcoin: { rpc: bitcoinRpc, faucetWif } } : {}),
    }),
  }),
)

const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: environment.SAMPLE_MERCHANT_PORT })

for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.on(signal, () => server.close(() => process.exit(0)))
