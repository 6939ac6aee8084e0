/** `npm run example -- NAME`: runs an example against a platform; without variables, the local stack's. */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { serve } from '@hono/node-server'
import { type Client, createClient } from '@keyturn/client'
import { z } from 'zod'
import { openInvoiceCollection } from './invoice-collection/open-invoice-collection.js'
import { openMarketplace } from './marketplace-settlement/open-marketplace.js'
import { openSaasBilling } from './saas-billing/open-saas-billing.js'
import type { OpenExample } from './shared/example.js'
import { openWalletTopUp } from './wallet-top-up/open-wallet-top-up.js'

/** The examples, each with the port that it has unless `EXAMPLE_PORT` names another one. */
const EXAMPLES: Readonly<Record<string, { readonly open: OpenExample; readonly port: number }>> = {
  'saas-billing': { open: openSaasBilling, port: 4201 },
  'marketplace-settlement': { open: openMarketplace, port: 4202 },
  'wallet-top-up': { open: openWalletTopUp, port: 4203 },
  'invoice-collection': { open: openInvoiceCollection, port: 4204 },
}
const EVENT_TYPES = ['payment.status_changed', 'withdrawal.status_changed'] as const
const DAY_MS = 86_400_000

const home = process.env.KEYTURN_HOME ?? '.keyturn'
const endpoint = z.object({ id: z.string(), secret: z.string() })

/** Returns a client with the key that variables name, or with that of the local stack's merchant. */
function openClient(): Client {
  const { EXAMPLE_API_URL, EXAMPLE_API_KEY, EXAMPLE_API_SECRET } = process.env
  if (EXAMPLE_API_URL && EXAMPLE_API_KEY && EXAMPLE_API_SECRET)
    return createClient({ baseUrl: EXAMPLE_API_URL, apiKey: EXAMPLE_API_KEY, apiSecret: EXAMPLE_API_SECRET })
  const stack = join(home, 'stack.json')
  if (!existsSync(stack))
    throw new Error(
      'Start the local stack with npm start, or set EXAMPLE_API_URL, EXAMPLE_API_KEY, EXAMPLE_API_SECRET',
    )
  const { api, merchant } = z
    .object({ api: z.string(), merchant: z.object({ api_key: z.string(), api_secret: z.string() }) })
    .parse(JSON.parse(readFileSync(stack, 'utf8')))
  return createClient({ baseUrl: api, apiKey: merchant.api_key, apiSecret: merchant.api_secret })
}

/** Returns the secret of the example's endpoint. The platform shows it once, so it is kept in a file. */
async function openEndpoint(client: Client, file: string, url: string): Promise<string> {
  if (existsSync(file)) {
    const known = endpoint.parse(JSON.parse(readFileSync(file, 'utf8')))
    await client.webhookEndpoints.update(known.id, { url })
    return known.secret
  }
  const { id, secret } = await client.webhookEndpoints.create({ url, event_types: EVENT_TYPES })
  writeFileSync(file, JSON.stringify({ id, secret }), { mode: 0o600 })
  return secret
}

async function main(): Promise<void> {
  const name = process.argv[2] ?? ''
  const example = EXAMPLES[name]
  if (!example) throw new Error(`npm run example -- NAME, one of: ${Object.keys(EXAMPLES).join(', ')}`)
  const port = Number(process.env.EXAMPLE_PORT ?? example.port)
  const url = process.env.EXAMPLE_URL ?? `http://127.0.0.1:${port}`
  const folder = join(process.env.EXAMPLE_DATA ?? join(home, 'examples'), name)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const client = openClient()
  const secret = await openEndpoint(client, join(folder, 'endpoint.json'), `${url}/webhooks`)
  const running = example.open({ client, secret, file: join(folder, 'journal.ndjson') })
  await running.resume()
  const server = serve({ fetch: running.app.fetch, hostname: '127.0.0.1', port })
  const daily = setInterval(() => {
    running.compare().then(
      (comparison) => console.log(JSON.stringify(comparison)),
      (error: unknown) => console.error(error),
    )
  }, DAY_MS)
  console.log(`${name} runs at http://127.0.0.1:${port}; it keeps its books in ${folder}`)
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => {
      clearInterval(daily)
      server.close(() => {
        running.close()
        process.exit(0)
      })
    })
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
})
