/** Live checkout pages over HTTP: what a stream sends, what it costs, and how many there may be. */

import { get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { liveCheckouts } from '../../../api/checkout/checkout.js'
import { createApp } from '../../../api/create-app.js'
import { listen } from '../../../api/http/listen.js'
import { loadEnvironment } from '../../../config/load-environment.js'
import type { Payment } from '../../../wire/payment.js'
import { type PaymentStage, startPaymentStage } from '../../stage/payments.js'
import { MASTER_KEY } from '../../stage/test-api.js'

const MOST = 12
const MOST_PER_ADDRESS = 8

let stage: PaymentStage
let live: ReturnType<typeof liveCheckouts>
let server: Awaited<ReturnType<typeof listen>>
beforeAll(async () => {
  stage = await startPaymentStage('bitcoin')
  const dependencies = {
    ...stage.api.dependencies,
    environment: loadEnvironment({
      KEYTURN_DATABASE_URL: stage.api.database.url,
      KEYTURN_MASTER_KEY: MASTER_KEY,
      KEYTURN_PAGE_RATE: '100000',
      KEYTURN_LIVE_PAGES: String(MOST),
      KEYTURN_LIVE_PAGES_PER_ADDRESS: String(MOST_PER_ADDRESS),
      KEYTURN_TRUSTED_PROXIES: '127.0.0.1',
    }),
  }
  live = liveCheckouts(dependencies)
  server = await listen(createApp(dependencies, { live }), { host: '127.0.0.1', port: 0 })
})
afterAll(async () => {
  await live?.close()
  server?.close()
  await stage?.close()
})

interface OpenStream {
  readonly answer: IncomingMessage
  /** Everything that arrived. */
  text(): string
  /** Main parts that arrived. */
  events(): string[]
  close(): void
}

async function follow(
  payment: Payment,
  query = '',
  headers: Record<string, string> = {},
): Promise<OpenStream> {
  const { port } = server.address() as AddressInfo
  const path = `${new URL(payment.checkout_url).pathname}/live${query}`
  const answer = await new Promise<IncomingMessage>((resolve, reject) =>
    get({ host: '127.0.0.1', port, path, headers, agent: false }, resolve).on('error', reject),
  )
  let text = ''
  answer.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  answer.on('error', () => {})
  return {
    answer,
    text: () => text,
    events: () => [...text.matchAll(/^data: (.*)$/gm)].map(([, data = '""']) => JSON.parse(data)),
    close: () => answer.destroy(),
  }
}

const until = (condition: () => boolean) =>
  expect.poll(condition, { timeout: 10_000, interval: 10 }).toBe(true)
const settled = () => new Promise((resolve) => setTimeout(resolve, 300))
const versionOf = async (payment: Payment) => {
  const response = await stage.api.app.request(payment.checkout_url)
  return /data-version="([^"]*)"/.exec(await response.text())?.[1] ?? ''
}

test('sends the main part whenever it changes: seen, each confirmation, confirmed', async () => {
  const payment = await stage.open({ user_reference: 'follows' })
  const stream = await follow(payment, `?lang=de&version=${await versionOf(payment)}`)
  expect(stream.answer.headers).toMatchObject({
    'content-type': 'text/event-stream; charset=utf-8',
    'x-accel-buffering': 'no',
    'cache-control': 'no-store, no-transform',
  })
  expect(stream.answer.headers['content-security-policy']).toContain("default-src 'none'")
  await until(() => stream.text().startsWith('retry: '))
  await settled()
  // The page shows this state already.
  expect(stream.events()).toEqual([])
  stage.send(payment.address, '1')
  await stage.look()
  await until(() => stream.events().length === 1)
  expect(stream.events()[0]).toContain('Ihre Zahlung wurde erkannt')
  expect(stream.events()[0]).toContain('0 von 3 Bestätigungen')
  await stage.mine(1)
  await until(() => stream.events().length === 2)
  expect(stream.events()[1]).toContain('1 von 3 Bestätigungen')
  await stage.mine(2)
  await until(() => stream.events().some((main) => main.includes('Zahlung abgeschlossen')))
  stream.close()
  await until(() => live.count() === 0)
})

test('sends the present state at once to a page that shows an older one', async () => {
  const payment = await stage.open({ user_reference: 'late reader' })
  const old = await versionOf(payment)
  await stage.expire(payment.payment_id)
  const stream = await follow(payment, `?version=${old}`)
  await until(() => stream.events().length === 1)
  expect(stream.events()[0]).toContain('screen-expired')
  const id = /^id: (.*)$/m.exec(stream.text())?.[1] ?? ''
  const again = await follow(payment, `?version=${old}`, { 'Last-Event-ID': id })
  await settled()
  expect(again.events()).toEqual([])
  stream.close()
  again.close()
  await until(() => live.count() === 0)
})

test('bounds the streams of an address and of the process, and frees them when pages are closed', async () => {
  const payment = await stage.open({ user_reference: 'crowd' })
  const from = (last: number) => ({ 'X-Forwarded-For': `203.0.113.${last}` })
  const streams: OpenStream[] = []
  for (let page = 0; page < MOST_PER_ADDRESS; page++) streams.push(await follow(payment, '', from(1)))
  const refused = await follow(payment, '', from(1))
  expect(refused.answer.statusCode).toBe(429)
  expect(Number(refused.answer.headers['retry-after'])).toBeGreaterThan(0)
  for (let page = MOST_PER_ADDRESS; page < MOST; page++) streams.push(await follow(payment, '', from(2)))
  expect((await follow(payment, '', from(3))).answer.statusCode).toBe(429)
  expect(live.count()).toBe(MOST)
  for (const stream of streams) stream.close()
  await until(() => live.count() === 0)
  const after = await follow(payment, '', from(1))
  expect(after.answer.statusCode).toBe(200)
  after.close()
  await until(() => live.count() === 0)
})

test('answers unknown pages, other methods and HEAD without a stream', async () => {
  const payment = await stage.open({ user_reference: 'strange' })
  const request = (url: string, method = 'GET') => stage.api.app.request(url, { method })
  expect((await request(`https://pay.example.com/checkout/${'x'.repeat(32)}/live`)).status).toBe(404)
  expect((await request(`${payment.checkout_url}/live`, 'POST')).status).toBe(405)
  const head = await request(`${payment.checkout_url}/live`, 'HEAD')
  expect([head.status, await head.text()]).toEqual([200, ''])
  expect(head.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
})

test('reads the changes of a block together, and nothing for pages that it does not touch', async () => {
  const { sql } = stage.api.database
  const payments: Payment[] = []
  for (let user = 0; user < MOST; user++) payments.push(await stage.open({ user_reference: `block-${user}` }))
  const streams = await Promise.all(
    payments.map((payment, user) => follow(payment, '', { 'X-Forwarded-For': `203.0.113.${user}` })),
  )
  await until(() => streams.every((stream) => stream.events().length === 1))
  await settled()
  const statements: string[] = []
  const log = sql.options.debug
  sql.options.debug = (_connection, query) => statements.push(query)
  const touched = payments.slice(0, 5)
  await sql.begin(async (tx) => {
    for (const { payment_id } of touched) {
      await tx`UPDATE payments SET flags = '{overpaid}' WHERE id = ${payment_id}`
      await tx`SELECT pg_notify('payment_changed', ${payment_id})`
    }
  })
  await until(() => streams.slice(0, touched.length).every((stream) => stream.events().length === 2))
  await settled()
  sql.options.debug = log
  expect(
    statements.filter((query) => query.includes('checkout') || query.includes('merchant.name')),
  ).toHaveLength(1)
  expect(streams.slice(touched.length).every((stream) => stream.events().length === 1)).toBe(true)
  for (const stream of streams) stream.close()
  await until(() => live.count() === 0)
})
