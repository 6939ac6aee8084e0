/**
 * Bodies, metadata, dates and amounts that a hostile caller sends: each is refused with its reason or stored
 * as sent.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MOST_DEPTH } from '../../api/middleware/check-json.js'
import { type Stage, startStage } from '../stage/start-stage.js'
import type { Call, TestApi } from '../stage/test-api.js'
import { testNetworks } from '../stage/test-networks.js'

const TO = '0x742d35Cc6634C0532925a3b844Bc454e4438f44e'
let stage: Stage
let api: Pick<TestApi, 'app' | 'call'>
beforeAll(async () => {
  stage = await startStage({ networks: testNetworks({ ETHEREUM_ENABLED: 'true' }) })
  await stage.credit('ethereum', 'eth', '', 10n ** 20n)
  const { key } = stage.people[0]
  api = { app: stage.api.app, call: (call: Call) => stage.api.call({ key, ...call }) }
})
afterAll(() => stage?.close())

/** Returns JSON text nested this deep, with arrays and objects in turn. */
const nested = (depth: number) => {
  const opening = Array.from({ length: depth }, (_, index) => (index % 2 === 0 ? '[' : '{"a":'))
  const closing = Array.from({ length: depth }, (_, index) => (index % 2 === 0 ? ']' : '}')).reverse()
  return `${opening.join('')}1${closing.join('')}`
}
const post = (path: string, body: unknown) => api.call({ method: 'POST', path: `/api/v1${path}`, body })
const withdrawal = (metadata: string) =>
  `{"network":"ethereum","coin":"eth","amount":"1","to_address":"${TO}","metadata":${metadata}}`
const schedule = (metadata: string) =>
  `{"label":"x","interval_seconds":3600,"withdrawal":${withdrawal(metadata)}}`
const reasonOf = (json: { error: { details: { fields: { reason: string }[] } } }) =>
  json.error.details.fields.map((field) => field.reason).join()

describe('bodies', () => {
  test.each([33, 2_200, 100_000])('are refused on every route if nested %d levels deep', async (depth) => {
    // The metadata is the third level of a schedule and the second of a withdrawal.
    for (const [path, body] of [
      ['/withdrawal-schedules', schedule(`{"deep":${nested(depth - 3)}}`)],
      ['/withdrawals', withdrawal(`{"deep":${nested(depth - 2)}}`)],
      ['/withdrawals', nested(depth)],
      ['/addresses', nested(depth)],
    ] as const) {
      const { status, json } = await post(path, body)
      expect([path, status, json.error?.code]).toEqual([path, 400, 'VALIDATION_FAILED'])
      expect(reasonOf(json)).toMatch(/deeper than 32/)
    }
  })

  test(`may be nested ${MOST_DEPTH} levels deep`, async () => {
    expect((await post('/withdrawal-schedules', schedule(`{"deep":${nested(MOST_DEPTH - 3)}}`))).status).toBe(
      201,
    )
  })

  test('of signers have the same limits', async () => {
    for (const path of ['/enrol', '/claim', '/answers']) {
      const response = await api.app.request(`http://api.test/signer/v1${path}`, {
        method: 'POST',
        body: nested(33),
      })
      expect(response.status).toBeLessThan(500)
      expect(response.status).toBeGreaterThanOrEqual(400)
    }
  })

  test.each([
    '12345678901234567890',
    '-12345678901234567890',
    '1e400',
    '-1e400',
    '1e-400',
    '0.12345678901234567890123',
    '9007199254740993',
  ])('with the number %s, which would come back as another one, are refused', async (number) => {
    const { status, json } = await post('/withdrawals', withdrawal(`{"order":[{"number":${number}}]}`))
    expect([status, json.error?.code]).toEqual([400, 'VALIDATION_FAILED'])
    expect(reasonOf(json)).toContain(number.slice(0, 20))
  })

  test.each([
    ['a name twice', '{"a":1,"b":{"c":1,"c":2}}', /twice/],
    ['a name twice in two spellings', String.raw`{"a":1,"\u0061":2}`, /twice/],
    ['the name __proto__', '{"__proto__":{"a":1}}', /__proto__/],
  ])('with %s, of which a part would be lost, are refused', async (_name, metadata, reason) => {
    const { status, json } = await post('/withdrawals', withdrawal(metadata))
    expect([status, json.error?.code]).toEqual([400, 'VALIDATION_FAILED'])
    expect(reasonOf(json)).toMatch(reason)
  })

  test('with a number of a million digits delay no other request', async () => {
    const number = `1${'0'.repeat(1_000_000)}1`
    const begun = Date.now()
    const refused = await post('/withdrawals', withdrawal(`{"order":${number}}`))
    expect([refused.status, refused.json.error?.code]).toEqual([400, 'VALIDATION_FAILED'])
    // The API reads bodies of strangers before it knows who sends them.
    const enrolment = await api.app.request('http://api.test/signer/v1/enrol', {
      method: 'POST',
      body: `{"token":${number}}`,
    })
    expect(enrolment.status).toBe(400)
    expect(Date.now() - begun).toBeLessThan(3_000)
  })

  test('that are no JSON get a 400, with any bytes in them', async () => {
    for (const body of [
      '{"a":12345678901234567890',
      '[[[[',
      '"',
      '"\\',
      '{"a":1e',
      '{"a":-}',
      ']',
      '{"a":1}}',
      '\u0000',
    ]) {
      expect([body, (await post('/withdrawals', body)).status]).toEqual([body, 400])
    }
  })
})

test('returns metadata as it was sent', async () => {
  const metadata =
    String.raw`{"int":9007199254740991,"neg":-0.5,"tiny":1e-7,"large":1e21,"huge":1.7976931348623157e308,"zero":-0.0,` +
    String.raw`"trailing":1.50,"exponent":12E+2,"text":"\"\\\/é😀\t12345678901234567890 {[","empty":{},"list":[null,true,[]],"":"no name","constructor":1}`
  const { status, json } = await post('/withdrawals', withdrawal(metadata))
  expect([status, json.error]).toEqual([201, undefined])
  const { json: read } = await api.call({ path: `/api/v1/withdrawals/${json.data.id}` })
  // The values are equal: -0 is 0 in JSON.
  const sent = JSON.parse(metadata, (_key, value) => (value === 0 ? 0 : value))
  expect(JSON.parse(JSON.stringify(read.data.metadata))).toEqual(sent)
})

describe('times', () => {
  const OUTSIDE = [
    '0000-01-01',
    '0000-12-31T23:59:59Z',
    '0001-01-01T00:00:00%2B01:00',
    '9999-12-31T23:59:59-01:00',
  ]
  test.each([
    '/deposits?from_date=',
    '/deposits?to_date=',
    '/withdrawals?from_date=',
    '/withdrawals?to_date=',
    '/balances?as_of=',
  ])('that PostgreSQL cannot hold are a 400 in %s', async (path) => {
    for (const time of OUTSIDE) {
      const { status, json } = await api.call({ path: `/api/v1${path}${time}` })
      expect([time, status, json.error?.code]).toEqual([time, 400, 'VALIDATION_FAILED'])
    }
  })

  test('are accepted at the limits of what PostgreSQL stores', async () => {
    for (const path of ['/deposits', '/withdrawals']) {
      const { status } = await api.call({ path: `/api/v1${path}?from_date=0001-01-01&to_date=9999-12-31` })
      expect(status).toBe(200)
    }
    expect((await api.call({ path: '/api/v1/balances?as_of=9999-12-31T23:59:59.999Z' })).status).toBe(200)
  })

  test('get a 400 in bodies if PostgreSQL cannot store them', async () => {
    const [endpoint, made] = await Promise.all([
      post('/webhook-endpoints', { url: 'https://shop.example/hook' }),
      post('/withdrawal-schedules', schedule('{}')),
    ])
    const good = { label: 'x', interval_seconds: 3600, withdrawal: JSON.parse(withdrawal('{}')) }
    for (const sent of OUTSIDE.slice(1)) {
      const time = decodeURIComponent(sent)
      const answers = await Promise.all([
        post('/withdrawal-schedules', { ...good, start_at: time }),
        post('/withdrawal-schedules', { ...good, end_at: time }),
        api.call({
          method: 'PATCH',
          path: `/api/v1/withdrawal-schedules/${made.json.data.id}`,
          body: { end_at: time },
        }),
        post(`/webhook-endpoints/${endpoint.json.data.id}/replay`, {
          since: time,
          until: '2030-01-01T00:00:00Z',
        }),
        post(`/webhook-endpoints/${endpoint.json.data.id}/replay`, {
          since: '2020-01-01T00:00:00Z',
          until: time,
        }),
      ])
      expect(answers.map(({ status }) => status)).toEqual([400, 400, 400, 400, 400])
    }
    const last = await post('/withdrawal-schedules', { ...good, end_at: '9999-12-31T23:59:59.999Z' })
    expect([last.status, last.json.data?.end_at]).toEqual([201, '9999-12-31T23:59:59.000Z'])
  })
})

test('refuses amounts whose sum is too large to be stored with INVALID_AMOUNT', async () => {
  const output = { to_address: TO, amount: ((1n << 256n) / 10n ** 18n - 1n).toString() }
  for (const outputs of [Array.from({ length: 20 }, () => output), [output, output]]) {
    const { status, json } = await post('/withdrawals/batch', {
      batch_withdrawal: { network: 'ethereum', coin: 'eth', outputs },
    })
    expect([status, json.error?.code]).toEqual([422, 'INVALID_AMOUNT'])
  }
  const one = await post('/withdrawals', { network: 'ethereum', coin: 'eth', ...output })
  expect(one.status).toBeLessThan(500)
})
