/**
 * Measures payments: how many are created a second, how many checkout pages are shown a second, and how soon a
 * block changes 50 of 1,000 live pages.
 */

import { randomBytes } from 'node:crypto'
import { get, type IncomingMessage } from 'node:http'
import { BIP32Factory } from 'bip32'
import * as ecc from 'tiny-secp256k1'
import { Pool } from 'undici'
import { signRequest } from '../client/sign-request.js'
import { createApiKey } from '../db/access/create-api-key.js'
import type { Sql } from '../db/connect.js'
import { createMerchant } from '../db/merchants/create-merchant.js'
import { newId } from '../db/new-id.js'
import { alternate } from './alternate.js'
import { MASTER_KEY, startApi } from './api.js'
import { startChild } from './child.js'
import type { BenchContext } from './context.js'
import { type Measurement, rate } from './measurement.js'

const ROUNDS = 5
const SECONDS = 2
/** Connections of the load. All are kept alive. */
const CONNECTIONS = 50
const LIVE = 1_000
const TOUCHED = 50
/** Bounds that the load of one address would meet. */
const LIMITS = { KEYTURN_PAGE_RATE: '100000000', KEYTURN_LIVE_PAGES_PER_ADDRESS: '10000' }
/** Live pages must not slow down one another. */
const EXPECTED_LIVE = 0.7

interface Shop {
  readonly sql: Sql
  readonly key: { readonly id: string; readonly secret: string }
}

/** Measures an API process as it is deployed, beside a bare route that answers the same page as a constant. */
export async function benchCheckout(context: BenchContext): Promise<Measurement[]> {
  const { sql, url } = await context.database()
  const shop: Shop = { sql, key: await openShop(sql) }
  const port = await startApi(context, url, LIMITS)
  const create = creator(context, port, shop)
  const paths: string[] = []
  for (let page = 0; page < LIVE + TOUCHED; page++) paths.push(await create(page))
  const text = await (await fetch(`http://127.0.0.1:${port}${paths[0]}`)).text()
  const bare = await startChild<{ port: number }>('./bare-page.ts', { text })
  context.onEnd(() => bare.stop())

  const reference = () =>
    rate(
      SECONDS,
      CONNECTIONS,
      loader(context, bare.facts.port, () => '/page'),
    )
  const crowd = await openPages(port, paths.slice(0, LIVE))
  const few = await openPages(await startApi(context, url, LIMITS), paths.slice(LIVE))
  const live = await alternate(
    2 * ROUNDS,
    () => changePages(sql, crowd),
    () => changePages(sql, few),
  )
  for (const page of [...crowd, ...few]) page.close()
  const shown = await alternate(
    ROUNDS,
    () =>
      rate(
        SECONDS,
        CONNECTIONS,
        loader(context, port, (index) => paths[index % paths.length] ?? ''),
      ),
    reference,
  )
  // Last, because the API goes on trying to start the workflows of these payments.
  const created = await alternate(
    ROUNDS,
    () => rate(SECONDS, CONNECTIONS, async (index) => void (await create(index))),
    reference,
  )
  const against = 'bare Hono route, constant page'
  return [
    { name: 'payments created', unit: '/s', against, expected: null, ...created },
    { name: 'checkout pages', unit: '/s', against, expected: null, ...shown },
    {
      name: `live pages changed by a block, ${TOUCHED} of ${LIVE} open`,
      unit: '/s',
      against: `${TOUCHED} of ${TOUCHED} open`,
      expected: EXPECTED_LIVE,
      ...live,
    },
  ]
}

/** Creates a merchant whose addresses on Ethereum can be derived. */
async function openShop(sql: Sql): Promise<Shop['key']> {
  const { id } = await createMerchant(sql, { name: 'Bench', rails: [{ network: 'ethereum', coin: 'eth' }] })
  const account = BIP32Factory(ecc).fromSeed(randomBytes(32)).derivePath("m/44'/60'/0'").neutered()
  const signer = newId('sig')
  await sql`
    INSERT INTO signers (id, merchant_id, name, version, identity_public_key, master_fingerprint, journal_head)
    VALUES (${signer}, ${id}, 'bench', '0', ${randomBytes(32)}, '00000000', ${'0'.repeat(64)})`
  await sql`
    INSERT INTO key_accounts (id, merchant_id, signer_id, network, role, path, xpub, counter_compared)
    VALUES (${newId('acc')}, ${id}, ${signer}, 'ethereum', 'deposit', 'm/44''/60''/0''', ${account.toBase58()},
            database_incarnation())`
  return createApiKey(sql, MASTER_KEY, {
    merchantId: id,
    name: 'bench',
    scopes: ['payments'],
    ipAllowlist: ['127.0.0.1'],
    rateLimitPerMinute: 100_000_000,
  })
}

/** Returns a function that creates a payment through the API, and returns the path of its page. */
function creator(context: BenchContext, port: number, { key }: Shop): (user: number) => Promise<string> {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: CONNECTIONS })
  context.onEnd(() => pool.destroy())
  const path = '/api/v1/payments'
  return async (user) => {
    const text = JSON.stringify({
      user_reference: `user-${user}`,
      network: 'ethereum',
      coin: 'eth',
      amount: '0.5',
    })
    const body = Buffer.from(text)
    const headers = signRequest({ apiKey: key.id, apiSecret: key.secret, method: 'POST', path, body })
    const response = await pool.request({
      path,
      method: 'POST',
      body,
      headers: { ...headers, 'Content-Type': 'application/json' },
    })
    const answer = await response.body.text()
    if (response.statusCode !== 201) throw new Error(`HTTP ${response.statusCode}: ${answer}`)
    return new URL(JSON.parse(answer).data.checkout_url).pathname
  }
}

function loader(context: BenchContext, port: number, pathOf: (index: number) => string) {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: CONNECTIONS })
  context.onEnd(() => pool.destroy())
  return async (index: number): Promise<void> => {
    const response = await pool.request({ path: pathOf(index), method: 'GET' })
    const text = await response.body.text()
    if (response.statusCode !== 200) throw new Error(`HTTP ${response.statusCode}: ${text}`)
  }
}

interface LivePage {
  readonly token: string
  /** Resolves at the next event. */
  next(): Promise<void>
  close(): void
}

/** Opens the streams of pages, each on a connection of its own, and waits for the first event of each. */
async function openPages(port: number, paths: readonly string[]): Promise<LivePage[]> {
  const pages: LivePage[] = []
  const first: Promise<void>[] = []
  for (const path of paths) {
    const answer = await new Promise<IncomingMessage>((resolve, reject) =>
      get({ host: '127.0.0.1', port, path: `${path}/live`, agent: false }, resolve).on('error', reject),
    )
    if (answer.statusCode !== 200) throw new Error(`HTTP ${answer.statusCode}`)
    const waiting = new Set<() => void>()
    answer.setEncoding('utf8').on('data', (chunk: string) => {
      if (!chunk.includes('\ndata: ')) return
      for (const resolve of waiting) resolve()
      waiting.clear()
    })
    answer.on('error', () => {})
    const page: LivePage = {
      token: path.split('/').at(-1) ?? '',
      next: () => new Promise((resolve) => waiting.add(resolve)),
      close: () => void answer.destroy(),
    }
    first.push(page.next())
    pages.push(page)
  }
  await Promise.all(first)
  return pages
}

/** Changes payments in one transaction, as a block does. @returns Pages a second until all have their event. */
async function changePages(sql: Sql, pages: readonly LivePage[]): Promise<number> {
  const touched = pages.slice(0, TOUCHED)
  const changes = touched.map((page) => page.next())
  const started = performance.now()
  await sql`
    WITH changed AS (
      UPDATE payments SET flags = CASE WHEN flags = '{}' THEN '{overpaid}'::text[] ELSE '{}' END
      WHERE checkout_token = ANY (${touched.map((page) => page.token)}) RETURNING id)
    SELECT pg_notify('payment_changed', id) FROM changed`
  await Promise.all(changes)
  return TOUCHED / ((performance.now() - started) / 1_000)
}
