/** Requests of strangers are limited by address, and use up nothing of the rate of a merchant. */

import { randomUUID } from 'node:crypto'
import type { Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { listen } from '../../api/http/listen.js'
import { createEnrolmentToken } from '../../db/merchants/create-enrolment-token.js'
import { createSignerDouble } from '../stage/signer-double.js'
import { MASTER_KEY, signedHeaders, startTestApi, type TestApi } from '../stage/test-api.js'

const PATH = '/api/v1/addresses'
const LIMIT = 10
let api: TestApi
let server: Server
beforeAll(async () => {
  api = await startTestApi({ KEYTURN_ADDRESS_RATE: String(LIMIT), KEYTURN_TRUSTED_PROXIES: '127.0.0.1' })
  server = await listen(api.app, { host: '127.0.0.1', port: 0 })
})
afterAll(async () => {
  server?.close()
  server?.closeAllConnections()
  await api?.database.drop()
})

let addresses = 0
const newAddress = () => `10.9.${++addresses >> 8}.${addresses & 255}`
const unknown = (ip: string) =>
  api.call({ path: PATH, key: { id: `key_${randomUUID()}`, secret: 'x' }, ip }).then(({ status }) => status)
const good = (ip: string, key = api.key) => api.call({ path: PATH, ip, key }).then(({ status }) => status)
const count = <T>(values: readonly T[], value: T) => values.filter((each) => each === value).length

test('limits unknown keys by address, but no known key from that address and no other address', async () => {
  const [ip, other] = [newAddress(), newAddress()]
  expect(await good(ip)).toBe(200)
  const answers = []
  for (let index = 0; index < 4 * LIMIT; index++) answers.push(await unknown(ip))
  expect([count(answers, 401), count(answers, 429)]).toEqual([LIMIT, 3 * LIMIT])
  expect(await good(ip)).toBe(200)
  expect(await good(other)).toBe(200)
  expect(await unknown(other)).toBe(401)
})

test('makes an address wait after a burst of unknown keys', async () => {
  const ip = newAddress()
  await Promise.all(Array.from({ length: 4 * LIMIT }, () => unknown(ip)))
  const answer = await api.call({ path: PATH, key: { id: 'key_unknown', secret: 'x' }, ip })
  expect([answer.status, answer.json.error.code]).toEqual([429, 'RATE_LIMITED'])
  // An address owes one minute of requests at most.
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(50)
  expect(Number(answer.headers.get('retry-after'))).toBeLessThanOrEqual(66)
})

test('takes nothing from the limit of an address for valid requests', async () => {
  const ip = newAddress()
  for (let index = 0; index < 3 * LIMIT; index++) expect(await good(ip, await api.newKey())).toBe(200)
  const fresh = newAddress()
  const burst = await Promise.all(Array.from({ length: 10 * LIMIT }, () => good(fresh)))
  expect(count(burst, 200)).toBe(10 * LIMIT)
})

test('limits wrong signatures of a known key by address too', async () => {
  const ip = newAddress()
  const wrong = () =>
    api.call({ path: PATH, ip, headers: { 'X-Signature': 'ab'.repeat(32) } }).then(({ status }) => status)
  const answers = []
  for (let index = 0; index < 2 * LIMIT; index++) answers.push(await wrong())
  expect([count(answers, 401), count(answers, 429)]).toEqual([LIMIT, LIMIT])
})

test('counts the addresses of one IPv6 network as one', async () => {
  const answers = []
  for (let index = 0; index < 2 * LIMIT; index++)
    answers.push(await unknown(`2001:db8:1:2::${index.toString(16)}`))
  expect(count(answers, 429)).toBe(LIMIT)
  expect(await unknown('2001:db8:1:3::1')).toBe(401)
})

test('does not wait for the body of an unknown key', async () => {
  const { port } = server.address() as AddressInfo
  const socket = connect(port, '127.0.0.1')
  const headers = signedHeaders({ id: 'key_unknown', secret: 'x' }, { path: PATH, method: 'POST', body: '' })
  const lines = Object.entries({ ...headers, 'X-Forwarded-For': newAddress() }).map(
    ([name, value]) => `${name}: ${value}`,
  )
  // The header announces a body that is never sent.
  socket.write(`POST ${PATH} HTTP/1.1\r\nHost: a\r\n${lines.join('\r\n')}\r\nContent-Length: 100000\r\n\r\n`)
  const [first] = await new Promise<Buffer[]>((resolve) => socket.once('data', (chunk) => resolve([chunk])))
  expect(String(first)).toMatch(/^HTTP\/1\.1 401 /)
  socket.destroy()
})

test('takes nothing from the rate of a key when others send its request again', async () => {
  const key = await api.newKey({ rateLimitPerMinute: 5 })
  const call = { path: PATH, key, timestamp: String(Math.floor(Date.now() / 1_000)), nonce: randomUUID() }
  expect((await api.call(call)).status).toBe(200)
  const replays = await Promise.all(
    Array.from({ length: 50 }, () => api.call({ ...call, ip: '203.0.113.9' })),
  )
  expect(replays.map(({ json }) => json.error.code)).toEqual(Array.from({ length: 50 }, () => 'NONCE_REUSED'))
  for (let left = 4; left > 0; left--) expect((await api.call({ path: PATH, key })).status).toBe(200)
  expect((await api.call({ path: PATH, key })).status).toBe(429)
})

test('takes nothing from that rate in another process either', async () => {
  const key = await api.newKey({ rateLimitPerMinute: 5 })
  const expiresAt = new Date(Date.now() + 300_000)
  for (let index = 0; index < 10; index++) {
    const call = { path: PATH, key, timestamp: String(Math.floor(Date.now() / 1_000)), nonce: randomUUID() }
    await api.database.sql`
      INSERT INTO api_nonces (api_key_id, nonce, expires_at) VALUES (${key.id}, ${call.nonce}, ${expiresAt})`
    for (let again = 0; again < 2; again++)
      expect((await api.call(call)).json.error.code).toBe('NONCE_REUSED')
  }
  for (let left = 5; left > 0; left--) expect((await api.call({ path: PATH, key })).status).toBe(200)
})

test('limits unknown signers by address, and writes nothing for them', async () => {
  const { sql } = api.database
  const written = async () => {
    const [row] = await sql<{ nonces: number; audit: number }[]>`
      SELECT (SELECT count(*)::int FROM signer_nonces) AS nonces, (SELECT count(*)::int FROM audit_log) AS audit`
    return row
  }
  const networks = api.dependencies.networks
  const merchantId = await api.newMerchant()
  const { token } = await createEnrolmentToken(sql, MASTER_KEY, { merchantId })
  const stranger = createSignerDouble(api, networks)
  const before = await written()

  const answers = []
  for (let index = 0; index < 2 * LIMIT; index++) answers.push(await stranger.enrol(`x${token}`))
  expect(
    count(
      answers.map(({ status }) => status),
      422,
    ),
  ).toBe(LIMIT)
  expect(
    count(
      answers.map(({ json }) => json.error.code),
      'RATE_LIMITED',
    ),
  ).toBe(LIMIT)
  expect(answers.every(({ signature }) => signature !== '')).toBe(true)
  expect(await written()).toEqual(before)
})

test.each([
  ['a body that is no JSON', '/enrol', '{"token":'],
  ['an enrolment that lacks everything', '/enrol', '{}'],
  ['a body nested too deep', '/enrol', '['.repeat(40)],
  ['a path that there is not', '/nothing', '{}'],
  ['no signature', '/claim', '{}'],
])('signers that send %s are limited by address, too', async (_name, path, body) => {
  const incoming = { socket: { remoteAddress: newAddress() }, url: `/signer/v1${path}` }
  const answers = []
  for (let index = 0; index < 2 * LIMIT; index++) {
    const response = await api.app.request(
      `http://api.test/signer/v1${path}`,
      { method: 'POST', body },
      { incoming },
    )
    answers.push(response.status)
  }
  expect(count(answers, 429)).toBe(LIMIT)
  expect(answers.slice(0, LIMIT)).not.toContain(429)
})
