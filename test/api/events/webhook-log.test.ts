/** The log of webhook deliveries and the figures of an endpoint, through the API and with real attempts. */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { appendEvent } from '../../../db/events/log/append-event.js'
import { sealEvents } from '../../../db/events/log/seal-events.js'
import type { EventType } from '../../../domain/events/event.js'
import { type ApiKeyPair, startTestApi, type TestApi } from '../../stage/test-api.js'
import { createWebhookAttempts, type WebhookAttempts } from '../../stage/webhook-attempts.js'
import { answers, startWebhookReceiver, type WebhookReceiver } from '../../support/webhook-receiver.js'

const ENDPOINTS = '/api/v1/webhook-endpoints'
const DELIVERIES = '/api/v1/webhook-deliveries'

let api: TestApi
let attempts: WebhookAttempts
let receiver: WebhookReceiver
let stranger: ApiKeyPair
let endpoint: { id: string; secret: string }
beforeAll(async () => {
  api = await startTestApi({
    KEYTURN_WEBHOOK_ALLOW_CIDRS: '127.0.0.0/8',
    KEYTURN_WEBHOOK_ALLOW_HTTP: 'true',
  })
  attempts = createWebhookAttempts(api.database.sql, 500)
  stranger = await api.newKey({ merchantId: await api.newMerchant() })
})
afterAll(async () => {
  await attempts?.close()
  await api?.database.drop()
})
beforeEach(async () => {
  receiver = await startWebhookReceiver()
  endpoint = await create(receiver.url)
})
afterEach(async () => {
  await api.call({ method: 'DELETE', path: `${ENDPOINTS}/${endpoint.id}` })
  await receiver.close()
})

const create = async (url: string, event_types = ['deposit.status_changed', 'payment.status_changed']) =>
  (await api.call({ method: 'POST', path: ENDPOINTS, body: { url, event_types } })).json.data
const get = async (path: string, key?: ApiKeyPair) => api.call({ path, ...(key ? { key } : {}) })
const list = async (query: string): Promise<{ id: string }[]> =>
  (await get(`${DELIVERIES}?endpoint_id=${endpoint.id}&${query}`)).json.data
const stats = async (query = '') => (await get(`${ENDPOINTS}/${endpoint.id}/stats${query}`)).json.data

/** Commits an event. @returns The id of its delivery to the endpoint. */
async function happen(data: Record<string, unknown> = {}, type: EventType = 'deposit.status_changed') {
  const id = await api.database.sql.begin((tx) =>
    appendEvent(tx, { merchantId: api.merchantId, type, subject: 'x', data }),
  )
  while ((await sealEvents(api.database.sql)) > 0) {}
  return `whd_${id.slice(4)}_${endpoint.id.slice(4)}`
}

describe('an attempt', () => {
  test('shows the class of its failure and the first kilobyte of the answer, without secrets', async () => {
    const delivery = await happen()
    receiver.behave((response, request) =>
      response
        .writeHead(401)
        .end(`expected ${endpoint.secret}, got ${request.headers['webhook-signature']} ${'. '.repeat(900)}`),
    )
    await attempts.attempt(delivery)
    receiver.behave((response) => {
      response.writeHead(422)
      response.end(Buffer.from([0x62, 0x61, 0x64, 0x00, 0xff, 0xfe, 0xc3, 0x28]))
    })
    await attempts.attempt(delivery)
    receiver.behave(answers(200))
    await attempts.attempt(delivery)
    const { data } = (await get(`${DELIVERIES}/${delivery}`)).json
    expect(data).toMatchObject({
      status: 'delivered',
      attempts: [
        { status_code: 401, failure_class: 'signature_rejected' },
        { status_code: 422, failure_class: 'contract_rejected', answer: 'bad\uFFFD\uFFFD\uFFFD\uFFFD(' },
        { status_code: 200, failure_class: null, error: null, answer: null },
      ],
    })
    const [first] = data.attempts
    expect(first.answer).toMatch(/^expected \[redacted\], got \[redacted\]/)
    expect(Buffer.byteLength(first.answer)).toBeLessThanOrEqual(1_024)
    const [stored] = await api.database.sql`
      SELECT bool_or(strpos(response, ${endpoint.secret.slice(6, 30)}) > 0) AS leaked FROM webhook_attempts`
    expect(stored).toEqual({ leaked: false })
  })

  test('has a class for each way to fail', async () => {
    const classes: [string, string][] = []
    for (const [name, behave] of [
      ['silent', () => {}],
      ['broken', (response) => response.socket?.destroy()],
      ['redirecting', (response) => response.writeHead(302, { location: 'http://169.254.169.254/' }).end()],
      ['missing', answers(404)],
      ['refusing', answers(403)],
      ['strict', answers(422)],
    ] as [string, Parameters<WebhookReceiver['behave']>[0]][]) {
      receiver.behave(behave)
      const delivery = await happen()
      await attempts.attempt(delivery)
      const { data } = (await get(`${DELIVERIES}/${delivery}`)).json
      classes.push([name, data.attempts[0].failure_class])
    }
    await api.database.sql`UPDATE webhook_endpoints SET url = 'https://10.0.0.1/' WHERE id = ${endpoint.id}`
    const delivery = await happen()
    await attempts.attempt(delivery)
    const { data } = (await get(`${DELIVERIES}/${delivery}`)).json
    classes.push(['private', data.attempts[0].failure_class])
    expect(classes).toEqual([
      ['silent', 'timeout'],
      ['broken', 'unreachable'],
      ['redirecting', 'redirect'],
      ['missing', 'endpoint_error'],
      ['refusing', 'signature_rejected'],
      ['strict', 'contract_rejected'],
      ['private', 'blocked'],
    ])
  })
})

describe('the log', () => {
  test('is filtered by payment and by the class of any attempt', async () => {
    const other = await happen({ payment_id: 'pay_2' })
    const paid = await happen({ payment_id: 'pay_1' }, 'payment.status_changed')
    receiver.behave(answers(500))
    await attempts.attempt(paid)
    receiver.behave(answers(401))
    await attempts.attempt(paid)
    receiver.behave(answers(200))
    await attempts.attempt(paid)
    const ids = async (query: string) => (await list(query)).map(({ id }) => id)
    expect(await ids('payment_id=pay_1')).toEqual([paid])
    expect(await ids('payment_id=pay_2')).toEqual([other])
    expect(await ids('failure_class=endpoint_error')).toEqual([paid])
    expect(await ids('failure_class=signature_rejected')).toEqual([paid])
    expect(await ids('failure_class=timeout')).toEqual([])
    expect(await ids('failure_class=endpoint_error&status=pending')).toEqual([])
    expect(await ids('event=payment.status_changed')).toEqual([paid])
    expect((await get(`${DELIVERIES}?failure_class=odd`)).status).toBe(400)
    expect((await get(`${DELIVERIES}?payment_id=pay_1`, stranger)).json.data).toEqual([])
  })

  test('is filtered by a half-open window, whose days begin at midnight UTC', async () => {
    const ids = [await happen(), await happen(), await happen()]
    const times = ['2026-03-01T23:59:59.999Z', '2026-03-02T00:00:00.000Z', '2026-03-03T00:00:00.000Z']
    for (const [index, id] of ids.entries()) {
      await api.database.sql`
        UPDATE webhook_deliveries SET created_at = ${times[index] ?? ''} WHERE id = ${id}`
    }
    const found = async (query: string) => (await list(query)).map(({ id }) => ids.indexOf(id))
    expect(await found('from_date=2026-03-02&to_date=2026-03-03')).toEqual([1])
    expect(await found('from_date=2026-03-02T00:00:00Z')).toEqual([2, 1])
    expect(await found('to_date=2026-03-02')).toEqual([0])
    expect((await get(`${DELIVERIES}?from_date=yesterday`)).status).toBe(400)
  })

  test('is paged by the time of deliveries, also where many have the same', async () => {
    for (let count = 0; count < 5; count += 1) await happen()
    await api.database.sql`
      UPDATE webhook_deliveries SET created_at = '2026-04-01' WHERE endpoint_id = ${endpoint.id}`
    const seen: string[] = []
    let cursor = ''
    do {
      const page = (await get(`${DELIVERIES}?endpoint_id=${endpoint.id}&limit=2${cursor}`)).json
      seen.push(...page.data.map(({ id }: { id: string }) => id))
      cursor = page.pagination.next_cursor === null ? '' : `&cursor=${page.pagination.next_cursor}`
    } while (cursor !== '')
    expect(seen).toHaveLength(5)
    expect(seen).toEqual([...new Set(seen)].sort().reverse())
  })
})

describe('the figures of an endpoint', () => {
  test('are empty before the first attempt', async () => {
    expect(await stats()).toEqual({
      attempts: 0,
      success_rate: null,
      p50_ms: null,
      p99_ms: null,
      oldest_undelivered_at: null,
      by_status_code: {},
      by_failure_class: {},
    })
  })

  test('count attempts by status and class, without tests and without attempts that have no result', async () => {
    const failing = await happen()
    for (const status of [500, 503, 500]) {
      receiver.behave(answers(status))
      await attempts.attempt(failing)
    }
    receiver.behave(() => {})
    await attempts.attempt(failing)
    receiver.behave(answers(204))
    await attempts.attempt(await happen())
    const { delivery_id } = (await api.call({ method: 'POST', path: `${ENDPOINTS}/${endpoint.id}/test` }))
      .json.data
    while ((await sealEvents(api.database.sql)) > 0) {}
    expect(await attempts.attempt(delivery_id)).toBe('delivered')
    await api.database.sql`
      INSERT INTO webhook_attempts (delivery_id, number, at, duration_ms, error, endpoint_id, test)
      VALUES (${failing}, 9, now(), 0, 'No result was recorded', ${endpoint.id}, false)`
    const [row] = await api.database.sql<{ created_at: Date }[]>`
      SELECT created_at FROM webhook_deliveries WHERE id = ${failing}`
    const figures = await stats('?window=15m')
    expect(figures).toMatchObject({
      attempts: 5,
      success_rate: 0.2,
      oldest_undelivered_at: row?.created_at.toISOString(),
      by_status_code: { 204: 1, 500: 2, 503: 1 },
      by_failure_class: { endpoint_error: 3, timeout: 1 },
    })
    expect(figures.p50_ms).toBeLessThan(figures.p99_ms)
    expect(figures.p99_ms).toBeGreaterThanOrEqual(500)
    await api.database.sql`
      UPDATE webhook_attempts SET at = at - interval '2 minutes' WHERE delivery_id = ${failing}`
    expect(await stats('?window=60s')).toMatchObject({ attempts: 1, success_rate: 1, by_failure_class: {} })
    expect(await stats()).toMatchObject({ attempts: 5 })
  })

  test('refuse a window that is none, and another merchant', async () => {
    for (const window of ['1w', '0m', '-1h', '1', 'h', '1.5h', '31d', '1h ', '721h']) {
      const refused = await get(`${ENDPOINTS}/${endpoint.id}/stats?window=${encodeURIComponent(window)}`)
      expect([window, refused.status]).toEqual([window, 400])
    }
    expect((await get(`${ENDPOINTS}/${endpoint.id}/stats?window=30d`)).status).toBe(200)
    expect((await get(`${ENDPOINTS}/${endpoint.id}/stats`, stranger)).status).toBe(404)
  })
})
