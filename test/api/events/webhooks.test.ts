/** Webhook endpoints, deliveries and the event log through the API. */

import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { appendEvent } from '../../../db/events/log/append-event.js'
import { sealEvents } from '../../../db/events/log/seal-events.js'
import { advanceReplay } from '../../../db/events/replays/advance-replay.js'
import { recordAttempt } from '../../../db/events/webhooks/record-attempt.js'
import type { EventType } from '../../../domain/events/event.js'
import { type ApiKeyPair, startTestApi, type TestApi } from '../../stage/test-api.js'

let api: TestApi
let reader: ApiKeyPair
let stranger: ApiKeyPair
beforeAll(async () => {
  api = await startTestApi({
    KEYTURN_WEBHOOK_ALLOW_CIDRS: '127.0.0.0/8,::1/128',
    KEYTURN_WEBHOOK_ALLOW_HTTP: 'true',
  })
  reader = await api.newKey({ scopes: ['read'] })
  stranger = await api.newKey({ merchantId: await api.newMerchant() })
})
afterAll(() => api?.database.drop())

const ENDPOINTS = '/api/v1/webhook-endpoints'
const DELIVERIES = '/api/v1/webhook-deliveries'
const post = (path: string, body?: unknown, headers: Record<string, string> = {}) =>
  api.call({ method: 'POST', path, ...(body === undefined ? {} : { body }), headers })
const create = async (body: object = {}) =>
  (await post(ENDPOINTS, { url: 'http://127.0.0.1:9/hook', ...body })).json.data
async function happen(type: EventType = 'deposit.status_changed', data: object = { id: 'dep_1' }) {
  const id = await api.database.sql.begin((tx) =>
    appendEvent(tx, {
      merchantId: api.merchantId,
      type,
      subject: 'x',
      data: data as Record<string, unknown>,
    }),
  )
  while ((await sealEvents(api.database.sql)) > 0) {}
  return id
}

describe('endpoints', () => {
  test('show their secret once, at creation', async () => {
    const created = await post(ENDPOINTS, {
      url: 'http://127.0.0.1:9/hook',
      event_types: ['balance.updated'],
    })
    expect(created.status).toBe(201)
    expect(created.json.data).toMatchObject({
      url: 'http://127.0.0.1:9/hook',
      event_types: ['balance.updated'],
      format: 'keyturn',
      status: 'active',
      circuit: 'closed',
      secret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/),
    })
    const { id, secret } = created.json.data
    for (const path of [ENDPOINTS, `${ENDPOINTS}/${id}`]) {
      const shown = await api.call({ path, key: reader })
      expect(shown.status).toBe(200)
      expect(JSON.stringify(shown.json)).toContain(id)
      expect(JSON.stringify(shown.json)).not.toContain(secret)
    }
    const [row] = await api.database.sql<{ secret_sealed: Buffer }[]>`
      SELECT secret_sealed FROM webhook_endpoints WHERE id = ${id}`
    expect(row?.secret_sealed.toString('latin1')).not.toContain(secret.slice(6, 20))
  })

  test.each([
    ['https://10.0.0.1/', /not public/],
    ['https://0xa9fea9fe/', /not public/],
    ['https://[::ffff:10.0.0.1]/', /not public/],
    ['shop.example', /not a URL/],
  ])('with the URL %s are refused', async (url, reason) => {
    const refused = await post(ENDPOINTS, { url })
    expect(refused.status).toBe(400)
    expect(refused.json.error).toMatchObject({
      code: 'VALIDATION_FAILED',
      message: expect.stringMatching(reason),
    })
    const { id } = await create()
    const patched = await api.call({ method: 'PATCH', path: `${ENDPOINTS}/${id}`, body: { url } })
    expect(patched.status).toBe(400)
  })

  test.each([
    ['http://10.0.0.1/', /https/],
    ['gopher://shop.example/', /https/],
    ['https://user:pass@shop.example/', /user name/],
    ['https://shop.example:9200/', /ports 443, 8443/],
  ])('with the URL %s are refused as unprocessable', async (url, reason) => {
    const expected = {
      status: 422,
      json: { error: { code: 'INVALID_URL', message: expect.stringMatching(reason) } },
    }
    expect(await post(ENDPOINTS, { url })).toMatchObject(expected)
    const { id } = await create()
    const patched = await api.call({ method: 'PATCH', path: `${ENDPOINTS}/${id}`, body: { url } })
    expect(patched).toMatchObject(expected)
  })

  test('are refused with an unknown field, type or format', async () => {
    for (const wrong of [{ colour: 'red' }, { event_types: ['nothing.happened'] }, { format: 'xml' }]) {
      expect((await post(ENDPOINTS, { url: 'http://127.0.0.1:9/', ...wrong })).status).toBe(400)
    }
  })

  test('require the scope webhooks for changes and read for lists', async () => {
    const body = { url: 'http://127.0.0.1:9/' }
    const refused = await api.call({ method: 'POST', path: ENDPOINTS, body, key: reader })
    expect(refused).toMatchObject({ status: 403, json: { error: { code: 'INSUFFICIENT_SCOPE' } } })
  })

  test('of another merchant are not found', async () => {
    const { id } = await create()
    const calls = [
      { path: `${ENDPOINTS}/${id}` },
      { method: 'PATCH', path: `${ENDPOINTS}/${id}`, body: { status: 'disabled' } },
      { method: 'DELETE', path: `${ENDPOINTS}/${id}` },
      { method: 'POST', path: `${ENDPOINTS}/${id}/rotate-secret`, body: {} },
      { method: 'DELETE', path: `${ENDPOINTS}/${id}/previous-secret` },
      { method: 'POST', path: `${ENDPOINTS}/${id}/test` },
      { method: 'POST', path: `${ENDPOINTS}/${id}/pause` },
      { method: 'POST', path: `${ENDPOINTS}/${id}/resume` },
      {
        method: 'POST',
        path: `${ENDPOINTS}/${id}/replay`,
        body: { since: '2026-01-01T00:00:00Z', until: '2027-01-01T00:00:00Z' },
      },
    ]
    for (const call of calls) expect((await api.call({ ...call, key: stranger })).status).toBe(404)
    expect((await api.call({ path: `${ENDPOINTS}/${id}` })).json.data.status).toBe('active')
  })

  test('rotate their secret once an Idempotency-Key, with a grace of 0 to 7 days', async () => {
    const { id, secret } = await create()
    const headers = { 'Idempotency-Key': randomUUID() }
    const first = await post(`${ENDPOINTS}/${id}/rotate-secret`, { grace_seconds: 60 }, headers)
    const again = await post(`${ENDPOINTS}/${id}/rotate-secret`, { grace_seconds: 60 }, headers)
    expect(first.status).toBe(200)
    expect(first.json.data.secret).not.toBe(secret)
    expect(again.json).toEqual(first.json)
    expect(Date.parse(first.json.data.previous_secret_until)).toBeGreaterThan(Date.now())
    const byDefault = await post(`${ENDPOINTS}/${id}/rotate-secret`)
    expect(Date.parse(byDefault.json.data.previous_secret_until)).toBeGreaterThan(Date.now() + 86_000_000)
    const none = await post(`${ENDPOINTS}/${id}/rotate-secret`, { grace_seconds: 0 })
    expect(none.json.data.previous_secret_until).toBeNull()
    for (const grace_seconds of [-1, 604_801, 1.5]) {
      expect((await post(`${ENDPOINTS}/${id}/rotate-secret`, { grace_seconds })).status).toBe(400)
    }
  })

  test('receive a test event that no other endpoint receives', async () => {
    const { id } = await create({ event_types: ['balance.updated'] })
    await create()
    const sent = await post(`${ENDPOINTS}/${id}/test`)
    expect(sent.status).toBe(202)
    const deliveries = await api.call({ path: `${DELIVERIES}?event_id=${sent.json.data.event_id}` })
    expect(deliveries.json.data).toMatchObject([
      {
        id: sent.json.data.delivery_id,
        endpoint_id: id,
        event: 'webhook.test',
        status: 'pending',
        attempts: [],
      },
    ])
    await api.call({ method: 'PATCH', path: `${ENDPOINTS}/${id}`, body: { status: 'disabled' } })
    expect((await post(`${ENDPOINTS}/${id}/test`)).json.error.code).toBe('INVALID_STATE')
  })

  test('hold deliveries while they are disabled and lose them when they are deleted', async () => {
    const { id } = await create()
    const event = await happen()
    const status = async () =>
      (await api.call({ path: `${DELIVERIES}?endpoint_id=${id}&event_id=${event}` })).json.data[0].status
    const patch = (body: object) => api.call({ method: 'PATCH', path: `${ENDPOINTS}/${id}`, body })
    expect(await status()).toBe('pending')
    await patch({ status: 'disabled' })
    expect(await status()).toBe('held')
    await patch({ status: 'active' })
    expect(await status()).toBe('pending')
    const deleted = await api.call({ method: 'DELETE', path: `${ENDPOINTS}/${id}` })
    expect(deleted).toMatchObject({ status: 200, json: { data: { status: 'deleted' } } })
    expect(await status()).toBe('cancelled')
    expect((await api.call({ path: `${ENDPOINTS}/${id}` })).status).toBe(404)
  })

  test('have the newest schema version, and move to another one and back', async () => {
    const { id, schema_version: newest } = await create()
    const { json: document } = await api.call({ path: '/openapi.json' })
    const versions = document.components.schemas.WebhookEndpoint.properties.schema_version.enum
    expect(versions.at(-1)).toBe(newest)
    const move = (schema_version: string) =>
      api.call({ method: 'PATCH', path: `${ENDPOINTS}/${id}`, body: { schema_version } })
    for (const version of [...versions, versions[0], newest]) {
      expect((await move(version)).json.data.schema_version).toBe(version)
    }
    expect((await move('2020-01-01')).status).toBe(400)
    expect((await create({ schema_version: versions[0] })).schema_version).toBe(versions[0])
  })

  test('have no limit of deliveries a second unless one is set', async () => {
    const { id, max_rate } = await create()
    expect(max_rate).toBeNull()
    const set = async (wanted: unknown) => {
      const body = { max_rate: wanted }
      const { status, json } = await api.call({ method: 'PATCH', path: `${ENDPOINTS}/${id}`, body })
      return status === 200 ? json.data.max_rate : status
    }
    expect([await set(7), await set(1), await set(null)]).toEqual([7, 1, null])
    for (const wrong of [0, -1, 1.5, '5']) expect(await set(wrong)).toBe(400)
    expect((await create({ max_rate: 3 })).max_rate).toBe(3)
  })

  test('are paused and resumed, twice without effect, and disabled ones enabled', async () => {
    const { id } = await create()
    const event = await happen()
    const move = async (how: string) => {
      const { status, json } = await post(`${ENDPOINTS}/${id}/${how}`)
      return [status, json.data?.status ?? json.error.code]
    }
    const held = async () =>
      (await api.call({ path: `${DELIVERIES}?endpoint_id=${id}&event_id=${event}` })).json.data[0].status
    const patch = async (status: string) =>
      (await api.call({ method: 'PATCH', path: `${ENDPOINTS}/${id}`, body: { status } })).json.data.status
    expect([await move('pause'), await move('pause'), await held()]).toEqual([
      [200, 'paused'],
      [200, 'paused'],
      'held',
    ])
    expect((await post(`${ENDPOINTS}/${id}/test`)).json.error).toMatchObject({
      code: 'INVALID_STATE',
      message: 'The endpoint is paused. Resume it first',
    })
    expect([await move('resume'), await move('resume'), await held()]).toEqual([
      [200, 'active'],
      [200, 'active'],
      'pending',
    ])
    await move('pause')
    expect([await patch('active'), await patch('disabled'), await move('pause')]).toEqual([
      'active',
      'disabled',
      [409, 'INVALID_STATE'],
    ])
    expect(await move('resume')).toEqual([200, 'active'])
    const audited = await api.database.sql<{ action: string }[]>`
      SELECT action FROM audit_log WHERE subject = ${id} ORDER BY position`
    expect(audited.map(({ action }) => action.slice('webhook_endpoint.'.length))).toEqual(
      'created paused resumed paused changed changed resumed'.split(' '),
    )
  })

  test('appear in the audit log without their secret', async () => {
    const { id, secret } = await create()
    await post(`${ENDPOINTS}/${id}/rotate-secret`)
    const rows = await api.database.sql<{ action: string; data: unknown }[]>`
      SELECT action, data FROM audit_log WHERE subject = ${id} ORDER BY position`
    expect(rows.map((row) => row.action)).toEqual([
      'webhook_endpoint.created',
      'webhook_endpoint.secret_rotated',
    ])
    expect(JSON.stringify(rows)).not.toContain(secret.slice(6))
  })
})

describe('deliveries', () => {
  test('show each attempt', async () => {
    const { id } = await create()
    const event = await happen()
    const { data } = (await api.call({ path: `${DELIVERIES}?endpoint_id=${id}` })).json
    const delivery = data[0].id
    const at = new Date('2026-11-21T10:00:00.123Z')
    const failed = {
      deliveryId: delivery,
      at,
      statusCode: 500,
      durationMs: 12,
      error: 'HTTP 500',
      failureClass: 'endpoint_error' as const,
      answer: 'no',
      nextAttemptAt: new Date(at.getTime() + 300_000),
      restarts: 0,
      lost: ['2026-11-21T09:55:00.000Z'],
    }
    expect(await recordAttempt(api.database.sql, failed)).toMatchObject({ status: 'pending', written: true })
    expect(await recordAttempt(api.database.sql, failed)).toMatchObject({ status: 'pending', written: false })
    const shown = await api.call({ path: `${DELIVERIES}/${delivery}`, key: reader })
    expect(shown.json.data).toMatchObject({
      id: delivery,
      event_id: event,
      endpoint_id: id,
      event: 'deposit.status_changed',
      status: 'pending',
      next_attempt_at: '2026-11-21T10:05:00.123Z',
      attempts: [
        {
          number: 1,
          at: '2026-11-21T09:55:00.000Z',
          status_code: null,
          error: expect.stringMatching(/worker/),
        },
        { number: 2, at: '2026-11-21T10:00:00.123Z', status_code: 500, duration_ms: 12, error: 'HTTP 500' },
      ],
    })
    expect((await api.call({ path: `${DELIVERIES}/${delivery}`, key: stranger })).status).toBe(404)
    expect((await api.call({ path: `${DELIVERIES}/whd_none` })).status).toBe(404)
  })

  test('are filtered by status and event, and paged', async () => {
    const { id } = await create({ event_types: ['signer.online', 'signer.offline'] })
    for (let i = 0; i < 3; i += 1) await happen('signer.online')
    await happen('signer.offline')
    const list = async (query: string) =>
      (await api.call({ path: `${DELIVERIES}?endpoint_id=${id}${query}` })).json
    expect((await list('')).data).toHaveLength(4)
    expect((await list('&event=signer.online')).data).toHaveLength(3)
    expect((await list('&status=delivered')).data).toHaveLength(0)
    const first = await list('&limit=3')
    const second = await list(`&limit=3&cursor=${first.pagination.next_cursor}`)
    expect([...first.data, ...second.data].map((each: { id: string }) => each.id)).toEqual(
      (await list('')).data.map((each: { id: string }) => each.id),
    )
    expect((await api.call({ path: `${DELIVERIES}?status=odd` })).status).toBe(400)
  })

  test('are made again on request, unless the endpoint cannot take them', async () => {
    const { id } = await create({ event_types: ['batch.status_changed'] })
    await happen('batch.status_changed')
    const [delivery] = (await api.call({ path: `${DELIVERIES}?endpoint_id=${id}` })).json.data
    await api.database.sql`
      UPDATE webhook_deliveries SET status = 'delivered', workflow_started_at = now() WHERE id = ${delivery.id}`
    const again = await post(`${DELIVERIES}/${delivery.id}/redeliver`)
    expect(again).toMatchObject({ status: 202, json: { data: { id: delivery.id, status: 'pending' } } })
    const [row] = await api.database.sql<{ workflow_started_at: Date | null; restarts: number }[]>`
      SELECT workflow_started_at, restarts FROM webhook_deliveries WHERE id = ${delivery.id}`
    expect(row).toEqual({ workflow_started_at: null, restarts: 1 })
    expect(
      (await api.call({ method: 'POST', path: `${DELIVERIES}/${delivery.id}/redeliver`, key: stranger }))
        .status,
    ).toBe(404)
    await api.call({ method: 'DELETE', path: `${ENDPOINTS}/${id}` })
    expect((await post(`${DELIVERIES}/${delivery.id}/redeliver`)).json.error.code).toBe('INVALID_STATE')
  })

  test('of a period are made again and counted', async () => {
    const since = new Date().toISOString()
    const missed = await happen('wallet.low_balance')
    const { id } = await create({ event_types: ['wallet.low_balance'] })
    const until = new Date(Date.now() + 60_000).toISOString()
    const replayed = await post(`${ENDPOINTS}/${id}/replay`, { since, until })
    expect(replayed).toMatchObject({ status: 202, json: { data: { endpoint_id: id, deliveries: 1 } } })
    await advanceReplay(api.database.sql, replayed.json.data.id, 10, 10)
    const list = (await api.call({ path: `${DELIVERIES}?endpoint_id=${id}` })).json.data
    expect(list).toMatchObject([{ event_id: missed, status: 'pending' }])
    // A delivery that is pending already is not counted again.
    expect((await post(`${ENDPOINTS}/${id}/replay`, { since, until })).json.data.deliveries).toBe(0)
    expect((await post(`${ENDPOINTS}/${id}/replay`, { since: until, until: since })).status).toBe(400)
  })
})

describe('the event log', () => {
  test('is gap-free, in order, and has the bytes that were delivered', async () => {
    const merchantId = await api.newMerchant()
    const key = await api.newKey({ merchantId, scopes: ['read'] })
    await api.database.sql.begin(async (tx) => {
      for (let i = 0; i < 7; i += 1) {
        const data = { i, note: 'Zoë  💶', amount: '1.10', 'odd "key"': null }
        await appendEvent(tx, { merchantId, type: 'deposit.status_changed', subject: 'x', data })
      }
    })
    while ((await sealEvents(api.database.sql)) > 0) {}
    const seen: { sequence: number }[] = []
    let after = '0'
    for (let pages = 0; pages < 4; pages += 1) {
      const page = await api.call({ path: `/api/v1/events?after=${after}&limit=3`, key })
      expect(page.status).toBe(200)
      seen.push(...page.json.data)
      after = page.json.pagination.next_cursor
      expect(page.json.pagination.has_more).toBe(pages < 2)
    }
    expect(seen.map((each) => each.sequence)).toEqual([1, 2, 3, 4, 5, 6, 7])

    const [row] = await api.database.sql<{ body: Buffer }[]>`
      SELECT body FROM events WHERE merchant_id = ${merchantId} AND sequence = 7`
    const { signedHeaders } = await import('../../stage/test-api.js')
    const path = '/api/v1/events?after=6'
    const raw = await api.app.request(
      `http://api.test${path}`,
      { headers: signedHeaders(key, { path, method: 'GET', body: '' }) },
      { incoming: { url: path, socket: { remoteAddress: '127.0.0.1' } } },
    )
    expect(raw.headers.get('content-type')).toMatch(/^application\/json/)
    expect(Buffer.from(await raw.arrayBuffer()).includes(row?.body ?? Buffer.from('missing'))).toBe(true)
  })

  test('refuses an invalid sequence', async () => {
    expect((await api.call({ path: '/api/v1/events?after=-1' })).status).toBe(400)
    expect((await api.call({ path: '/api/v1/events?after=x' })).status).toBe(400)
  })
})

test('limits the endpoints of a merchant, also when it requests many at once', async () => {
  const limited = await startTestApi({ KEYTURN_WEBHOOK_ENDPOINTS: '3' })
  const make = (key = limited.key) =>
    limited.call({
      method: 'POST',
      path: '/api/v1/webhook-endpoints',
      key,
      body: { url: 'https://93.184.216.34/hook' },
    })
  const answers = await Promise.all(Array.from({ length: 8 }, () => make()))
  const made = answers.filter(({ status }) => status === 201)
  expect(made).toHaveLength(3)
  for (const { status, json } of answers.filter((each) => each.status !== 201)) {
    expect([status, json.error.code, json.error.details]).toEqual([409, 'INVALID_STATE', { limit: 3 }])
  }
  const other = await limited.newKey({ merchantId: await limited.newMerchant() })
  expect((await make(other)).status).toBe(201)
  await limited.call({ method: 'DELETE', path: `/api/v1/webhook-endpoints/${made[0]?.json.data.id}` })
  expect((await make()).status).toBe(201)
  await limited.database.drop()
})
