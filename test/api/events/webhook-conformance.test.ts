/** The conformance test of consumers: good ones pass, and each kind of bad one fails where it is bad. */

import { randomUUID } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { verifyWebhook } from '../../../client/verify-webhook.js'
import { type ApiKeyPair, startTestApi, type TestApi } from '../../stage/test-api.js'
import {
  answers,
  type ReceivedRequest,
  startWebhookReceiver,
  type WebhookReceiver,
} from '../../support/webhook-receiver.js'

const ENDPOINTS = '/api/v1/webhook-endpoints'
const NAMES = ['valid', 'repeated', 'tampered', 'wrong_secret', 'stale', 'out_of_order']

let api: TestApi
let receiver: WebhookReceiver
let stranger: ApiKeyPair
let endpoint: { id: string; secret: string }
beforeAll(async () => {
  api = await startTestApi({
    KEYTURN_WEBHOOK_ALLOW_CIDRS: '127.0.0.0/8',
    KEYTURN_WEBHOOK_ALLOW_HTTP: 'true',
    KEYTURN_WEBHOOK_TIMEOUT: '300ms',
  })
  stranger = await api.newKey({ merchantId: await api.newMerchant() })
})
afterAll(() => api?.database.drop())
beforeEach(async () => {
  receiver = await startWebhookReceiver()
  endpoint = (await api.call({ method: 'POST', path: ENDPOINTS, body: { url: receiver.url } })).json.data
})
afterEach(async () => {
  await api.call({ method: 'DELETE', path: `${ENDPOINTS}/${endpoint.id}` })
  await receiver.close()
})

const conform = (headers: Record<string, string> = {}, key?: ApiKeyPair) =>
  api.call({
    method: 'POST',
    path: `${ENDPOINTS}/${endpoint.id}/conformance`,
    body: {},
    headers,
    ...(key ? { key } : {}),
  })
/** Returns the names of the cases that did not pass. */
const failedOf = (report: { cases: { name: string; passed: boolean }[] }) =>
  report.cases.filter(({ passed }) => !passed).map(({ name }) => name)

/** Answers 200 to what a verifier accepts, and 401 to what it throws for. */
const consuming = (verify: (request: ReceivedRequest) => unknown) =>
  receiver.behave((response, request) => {
    try {
      verify(request)
      response.writeHead(200).end()
    } catch {
      response.writeHead(401).end()
    }
  })
const texts = ({ headers }: ReceivedRequest) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))

test('passes a consumer that verifies with the client, and reports each case', async () => {
  consuming(({ headers, body }) => verifyWebhook(headers, body, endpoint.secret))
  const { status, json } = await conform()
  expect(status).toBe(200)
  expect(json.data).toEqual({
    endpoint_id: endpoint.id,
    passed: true,
    cases: [
      { name: 'valid', expected: '2xx', answered: 200, passed: true, error: null },
      { name: 'repeated', expected: '2xx', answered: 200, passed: true, error: null },
      { name: 'tampered', expected: '4xx', answered: 401, passed: true, error: null },
      { name: 'wrong_secret', expected: '4xx', answered: 401, passed: true, error: null },
      { name: 'stale', expected: '4xx', answered: 401, passed: true, error: null },
      { name: 'out_of_order', expected: '2xx', answered: 200, passed: true, error: null },
    ],
  })
  expect(receiver.received).toHaveLength(6)
  const [valid, repeated, , , stale, early] = receiver.received
  expect(repeated?.headers['webhook-id']).toBe(valid?.headers['webhook-id'])
  expect(repeated?.body).toEqual(valid?.body)
  expect(Number(valid?.headers['webhook-timestamp']) - Number(stale?.headers['webhook-timestamp'])).toBe(
    3_600,
  )
  const timeOf = (request?: ReceivedRequest) => Date.parse(JSON.parse(String(request?.body)).timestamp)
  expect(timeOf(early)).toBeLessThan(timeOf(valid))
})

test('passes a consumer that verifies with the published library of Standard Webhooks', async () => {
  const library = new Webhook(endpoint.secret)
  consuming((request) => library.verify(String(request.body), texts(request)))
  expect((await conform()).json.data.passed).toBe(true)
})

test('passes a consumer that has only the old secret, or only the new one, while it is rotated', async () => {
  const old = endpoint.secret
  const { secret } = (
    await api.call({ method: 'POST', path: `${ENDPOINTS}/${endpoint.id}/rotate-secret`, body: {} })
  ).json.data
  for (const each of [old, secret]) {
    consuming(({ headers, body }) => verifyWebhook(headers, body, each))
    expect((await conform()).json.data.passed).toBe(true)
  }
})

test.each<[string, string[], () => void]>([
  ['accepts everything', ['tampered', 'wrong_secret', 'stale'], () => receiver.behave(answers(200))],
  ['refuses everything', ['valid', 'repeated', 'out_of_order'], () => receiver.behave(answers(401))],
  ['breaks', NAMES, () => receiver.behave(answers(500))],
  [
    'ignores the age',
    ['stale'],
    () => consuming(({ headers, body }) => verifyWebhook(headers, body, endpoint.secret, 1e9)),
  ],
  [
    'refuses what it has seen',
    ['repeated'],
    () => {
      const seen = new Set<string>()
      consuming(({ headers, body }) => {
        const { id } = verifyWebhook(headers, body, endpoint.secret)
        if (seen.has(id)) throw new Error('again')
        seen.add(id)
      })
    },
  ],
  [
    'refuses older events',
    ['out_of_order'],
    () => {
      let last = ''
      consuming(({ headers, body }) => {
        const { timestamp } = verifyWebhook(headers, body, endpoint.secret)
        if (timestamp < last) throw new Error('older')
        last = timestamp
      })
    },
  ],
])('fails a consumer that %s', async (_name, failed, behave) => {
  behave()
  const { json } = await conform()
  expect(json.data.passed).toBe(false)
  expect(failedOf(json.data)).toEqual(failed)
})

test('reports a consumer that does not answer, and one that the guard refuses', async () => {
  receiver.behave(() => {})
  const silent = (await conform()).json.data
  expect(failedOf(silent)).toEqual(NAMES)
  expect(silent.cases[0]).toMatchObject({ answered: null, error: 'No answer within 0.3 s' })
  await api.database
    .sql`UPDATE webhook_endpoints SET url = 'https://169.254.169.254/' WHERE id = ${endpoint.id}`
  const blocked = (await conform()).json.data
  expect(blocked.cases[0]).toMatchObject({ answered: null, error: expect.stringMatching(/^Not sent: /) })
})

test('counts nowhere: no event, no delivery, no sequence, no figure, no circuit, and 410 disables nothing', async () => {
  const counts = async () => {
    const [row] = await api.database.sql`
      SELECT (SELECT count(*)::int FROM events) AS events, (SELECT count(*)::int FROM webhook_deliveries) AS deliveries,
             (SELECT count(*)::int FROM webhook_attempts) AS attempts, (SELECT count(*)::int FROM webhook_circuits) AS circuits,
             (SELECT coalesce(sum(sequence), 0)::int FROM event_sequences) AS sequences`
    return row
  }
  const before = await counts()
  receiver.behave(answers(410))
  expect((await conform()).status).toBe(200)
  expect(await counts()).toEqual(before)
  const shown = await api.call({ path: `${ENDPOINTS}/${endpoint.id}` })
  expect(shown.json.data).toMatchObject({ status: 'active', circuit: 'closed' })
  const { sequence } = JSON.parse(String(receiver.received[0]?.body))
  expect(sequence).toBe(0)
})

test('is sent once for an Idempotency-Key, and runs once at a time', async () => {
  receiver.behave((response) => setTimeout(() => response.writeHead(200).end(), 50))
  const headers = { 'Idempotency-Key': randomUUID() }
  const [first, beside] = await Promise.all([conform(headers), conform()])
  expect([first.status, beside.status].sort()).toEqual([200, 409])
  expect(receiver.received).toHaveLength(6)
  if (first.status === 200) {
    expect((await conform(headers)).json).toEqual(first.json)
    expect(receiver.received).toHaveLength(6)
  }
})

test('is not found for another merchant, and works while the endpoint is paused', async () => {
  expect((await conform({}, stranger)).status).toBe(404)
  expect(receiver.received).toHaveLength(0)
  await api.call({ method: 'POST', path: `${ENDPOINTS}/${endpoint.id}/pause`, body: {} })
  expect((await conform()).status).toBe(200)
  const [audit] = await api.database.sql<{ data: { passed: boolean; answered: object } }[]>`
    SELECT data FROM audit_log WHERE subject = ${endpoint.id} AND action = 'webhook_endpoint.conformance_tested'`
  expect(audit?.data).toMatchObject({ passed: false, answered: { valid: 204, tampered: 204 } })
})
