/** Rules of every request: signature, nonce, addresses, scopes, bodies and idempotency. */

import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApp } from '../../api/create-app.js'
import { createOperatorKey } from '../../db/merchants/operator.js'
import {
  type Answer,
  type Call,
  MASTER_KEY,
  signedHeaders,
  startTestApi,
  type TestApi,
} from '../stage/test-api.js'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi({ KEYTURN_TRUSTED_PROXIES: '10.0.0.0/8', KEYTURN_BODY_LIMIT: '2000' })
  await api.enrol(api.merchantId)
})
afterAll(() => api?.database.drop())

const now = (offset = 0) => String(Math.floor(Date.now() / 1000) + offset)
const PATH = '/api/v1/addresses'
const body = { user_reference: 'u', network: 'bitcoin' }
const outcome = ({ status, json }: Answer) => [status, json.error?.code]
const get = (call: Partial<Call> = {}) => api.call({ path: PATH, ...call })
const post = (call: Partial<Call> = {}) => api.call({ method: 'POST', path: PATH, body, ...call })

describe('authentication', () => {
  test('accepts a request whose signature covers path and query', async () => {
    expect((await get({ path: `${PATH}?limit=5&user_reference=a%20b%2Fc` })).status).toBe(200)
  })

  test('answers an error with the envelope, a request id and no stack', async () => {
    const answer = await get({ headers: { 'X-Api-Key': 'key_none' } })
    expect(answer.json).toEqual({
      success: false,
      error: {
        code: 'INVALID_API_KEY',
        message: expect.any(String),
        details: {},
        request_id: expect.any(String),
      },
    })
    expect(answer.headers.get('x-request-id')).toBe(answer.json.error.request_id)
  })

  test.each([
    ['no key', { headers: { 'X-Api-Key': '' } }, 'INVALID_API_KEY'],
    ['an unknown key', { headers: { 'X-Api-Key': 'key_unknown' } }, 'INVALID_API_KEY'],
    ['a signature of another secret', { headers: { 'X-Signature': 'ab'.repeat(32) } }, 'INVALID_SIGNATURE'],
    ['a signature that is too short', { headers: { 'X-Signature': 'ab' } }, 'INVALID_SIGNATURE'],
    ['no signature', { headers: { 'X-Signature': '' } }, 'INVALID_SIGNATURE'],
    ['another path than was signed', { signedPath: `${PATH}?limit=1` }, 'INVALID_SIGNATURE'],
    ['a time more than 300 s ago', { offset: -302 }, 'TIMESTAMP_OUT_OF_RANGE'],
    ['a time more than 300 s ahead', { offset: 303 }, 'TIMESTAMP_OUT_OF_RANGE'],
    ['a time that is none', { timestamp: '1e9' }, 'TIMESTAMP_OUT_OF_RANGE'],
    ['no time', { timestamp: '' }, 'TIMESTAMP_OUT_OF_RANGE'],
  ])('401: %s', async (_name, call: Partial<Call> & { offset?: number }, code) => {
    const timestamp = call.offset === undefined ? {} : { timestamp: now(call.offset) }
    expect(outcome(await get({ ...call, ...timestamp }))).toEqual([401, code])
  })

  test('refuses a body other than the signed one with 401', async () => {
    expect(outcome(await post({ signedBody: '{}' }))).toEqual([401, 'INVALID_SIGNATURE'])
  })

  test('accepts a time that is 295 s off', async () => {
    expect((await get({ timestamp: now(-295) })).status).toBe(200)
    expect((await get({ timestamp: now(295) })).status).toBe(200)
  })

  test('accepts a nonce once with a key, for any request, and again with another key', async () => {
    const nonce = randomUUID()
    expect((await get({ nonce })).status).toBe(200)
    expect(outcome(await get({ nonce, path: `${PATH}?limit=3` }))).toEqual([401, 'NONCE_REUSED'])
    expect((await get({ nonce, key: await api.newKey() })).status).toBe(200)
  })

  test('accepts one of 50 concurrent requests with one nonce, in two processes', async () => {
    const nonce = randomUUID()
    const second = createApp(api.dependencies)
    const headers = signedHeaders(api.key, { method: 'GET', path: PATH, body: '', nonce })
    const statuses = await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        const app = i % 2 ? api.app : second
        return (await app.request(`http://api.test${PATH}`, { headers })).status
      }),
    )
    expect(statuses.filter((status) => status === 200)).toHaveLength(1)
    expect(statuses.filter((status) => status === 401)).toHaveLength(49)
  })

  test('accepts many nonces at once', async () => {
    const answers = await Promise.all(Array.from({ length: 300 }, () => get()))
    expect(new Set(answers.map((each) => each.status))).toEqual(new Set([200]))
  })

  test('refuses a nonce of more than 64 characters', async () => {
    expect((await get({ nonce: 'n'.repeat(64) })).status).toBe(200)
    expect(outcome(await get({ nonce: 'n'.repeat(65) }))).toEqual([400, 'VALIDATION_FAILED'])
  })

  test('refuses a revoked key at once, in every process', async () => {
    const { createApiKeyCache } = await import('../../db/access/create-api-key-cache.js')
    const { sql } = api.database
    const apiKeys = createApiKeyCache(sql, ['11'.repeat(32)])
    const stop = await apiKeys.listen()
    const app = createApp(api.dependencies, { apiKeys })
    const key = await api.newKey()
    const status = async () =>
      (
        await app.request(`http://api.test${PATH}`, {
          headers: signedHeaders(key, { method: 'GET', path: PATH, body: '' }),
        })
      ).status
    expect(await status()).toBe(200)
    await sql`UPDATE api_keys SET revoked_at = now() WHERE id = ${key.id}`
    await expect.poll(status, { timeout: 2_000 }).toBe(401)
    await stop()
  })

  test('refuses the keys of a merchant that has no access yet, and lets a suspended one read', async () => {
    const merchantId = await api.newMerchant()
    const key = await api.newKey({ merchantId })
    await api.database.sql`UPDATE merchants SET status = 'suspended' WHERE id = ${merchantId}`
    expect((await get({ key })).status).toBe(200)
    const other = await api.newMerchant()
    const early = await api.newKey({ merchantId: other })
    await api.database.sql`UPDATE merchants SET status = 'intake' WHERE id = ${other}`
    expect(outcome(await get({ key: early }))).toEqual([401, 'INVALID_API_KEY'])
  })
})

describe('addresses and scopes', () => {
  test('accepts requests that change something from the allowlist only, IPv4 and IPv6', async () => {
    const key = await api.newKey({ ipAllowlist: ['192.0.2.0/24', '2001:db8::/32', '203.0.113.7'] })
    for (const ip of ['192.0.2.9', '::ffff:192.0.2.9', '2001:db8::1', '203.0.113.7'])
      expect((await post({ key, ip })).status).toBeLessThan(300)
    for (const ip of ['192.0.3.9', '::ffff:192.0.3.9', '2001:db9::1', '203.0.113.8', '::1'])
      expect(outcome(await post({ key, ip }))).toEqual([403, 'IP_NOT_ALLOWED'])
    expect((await get({ key, ip: '198.51.100.1' })).status).toBe(200)
  })

  test('accepts no such request with an empty allowlist', async () => {
    const key = await api.newKey({ ipAllowlist: [] })
    expect(outcome(await post({ key }))).toEqual([403, 'IP_NOT_ALLOWED'])
  })

  test('reads X-Forwarded-For behind a trusted proxy only, and only its last hop', async () => {
    const key = await api.newKey({ ipAllowlist: ['192.0.2.1'] })
    const from = (ip: string, forwarded: string) =>
      post({ key, ip, headers: { 'X-Forwarded-For': forwarded } })
    expect(outcome(await from('198.51.100.1', '192.0.2.1'))).toEqual([403, 'IP_NOT_ALLOWED'])
    expect((await from('10.1.1.1', '192.0.2.1')).status).toBeLessThan(300)
    expect((await from('10.1.1.1', '192.0.2.1, 10.2.2.2')).status).toBeLessThan(300)
    // The part that the client itself wrote stands further left and does not count.
    expect(outcome(await from('10.1.1.1', '192.0.2.1, 198.51.100.1'))).toEqual([403, 'IP_NOT_ALLOWED'])
    expect(outcome(await from('10.1.1.1', 'nonsense'))).toEqual([403, 'IP_NOT_ALLOWED'])
  })

  test('reads X-Forwarded-For with a port, as some proxies write it', async () => {
    const key = await api.newKey({ ipAllowlist: ['192.0.2.1', '2001:db8::/32'] })
    const from = (forwarded: string) =>
      post({ key, ip: '10.1.1.1', headers: { 'X-Forwarded-For': forwarded } })
    for (const forwarded of [
      '192.0.2.1:443',
      '192.0.2.1:51234, 10.2.2.2:80',
      '[2001:db8::1]:443',
      '[2001:db8::1]',
    ])
      expect([forwarded, (await from(forwarded)).status]).toEqual([forwarded, expect.toBeOneOf([200, 201])])
    for (const forwarded of ['192.0.2.2:443', '[2001:db9::1]:443', '192.0.2.1:', '[192.0.2.1'])
      expect([forwarded, ...outcome(await from(forwarded))]).toEqual([forwarded, 403, 'IP_NOT_ALLOWED'])
  })

  test('refuses a key without the scope, and names the scope', async () => {
    const key = await api.newKey({ scopes: ['read'] })
    expect((await get({ key })).status).toBe(200)
    const refused = await post({ key })
    expect(outcome(refused)).toEqual([403, 'INSUFFICIENT_SCOPE'])
    expect(refused.json.error.details.required).toBe('payments')
  })

  test('answers 429 with Retry-After once the rate of the key is used up', async () => {
    const key = await api.newKey({ rateLimitPerMinute: 3 })
    const statuses = []
    for (let i = 0; i < 3; i++) statuses.push((await get({ key })).status)
    expect(statuses).toEqual([200, 200, 200])
    const limited = await get({ key })
    expect(outcome(limited)).toEqual([429, 'RATE_LIMITED'])
    expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await get()).status).toBe(200)
  })
})

describe('bodies and queries', () => {
  test('names an unknown field', async () => {
    const answer = await post({ body: { ...body, colour: 'red' } })
    expect(outcome(answer)).toEqual([400, 'VALIDATION_FAILED'])
    expect(answer.json.error.details.fields).toEqual([{ path: 'colour', reason: 'unknown field' }])
    expect(answer.json.error.message).toContain('colour')
  })

  test('names path and reason of every wrong field', async () => {
    const answer = await post({ body: { user_reference: 7, network: '' } })
    const paths = answer.json.error.details.fields.map((each: { path: string }) => each.path)
    expect(paths).toEqual(['user_reference', 'network'])
  })

  test.each(['{', '', 'nul', '{"user_reference":"a"'])('refuses malformed JSON: %j', async (text) => {
    const answer = await post({ body: text })
    expect(answer.status).toBe(400)
    expect(answer.json.error.code).toBe(text === '' ? 'VALIDATION_FAILED' : 'MALFORMED_JSON')
  })

  test('refuses a body that is not an object', async () => {
    for (const text of ['null', '[]', '"text"', '7'])
      expect(outcome(await post({ body: text }))).toEqual([400, 'VALIDATION_FAILED'])
  })

  test('refuses NUL and half surrogate pairs before they reach the database', async () => {
    for (const user_reference of ['a\0b', '\ud800'])
      expect(outcome(await post({ body: { ...body, user_reference } }))).toEqual([400, 'VALIDATION_FAILED'])
    expect((await post({ body: { ...body, user_reference: '😀 \\u0000' } })).status).toBe(201)
    expect(outcome(await get({ path: `${PATH}?user_reference=a%00b` }))).toEqual([400, 'VALIDATION_FAILED'])
    expect((await get({ path: `${PATH}/%00` })).status).toBeLessThan(500)
    for (const mangled of ['AAAA', 'abc', '_w', 'YWRkcl8', 'YWRkcl8=', '%F0']) {
      const { status, json } = await get({ path: `${PATH}?cursor=${mangled}` })
      expect([mangled, status, json.error?.code]).toEqual(
        mangled === 'YWRkcl8' ? [mangled, 200, undefined] : [mangled, 400, 'VALIDATION_FAILED'],
      )
    }
  })

  test('accepts JSON only', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp'])
      expect(outcome(await post({ headers: { 'Content-Type': type } }))).toEqual([
        415,
        'UNSUPPORTED_MEDIA_TYPE',
      ])
    expect((await post({ headers: { 'Content-Type': 'application/json; charset=utf-8' } })).status).toBe(200)
  })

  test('answers a body over the limit with 413 before any other check', async () => {
    const large = await post({ body: { ...body, label: 'x'.repeat(2_000) } })
    expect(outcome(large)).toEqual([413, 'BODY_TOO_LARGE'])
  })

  test('answers an unknown path with 404 and a wrong method with 405, signed or not', async () => {
    expect(outcome(await get({ path: '/api/v1/nothing' }))).toEqual([404, 'NOT_FOUND'])
    expect(outcome(await get({ path: '/nothing' }))).toEqual([404, 'NOT_FOUND'])
    const wrong = await api.call({ method: 'DELETE', path: PATH })
    expect(outcome(wrong)).toEqual([405, 'METHOD_NOT_ALLOWED'])
    expect(wrong.headers.get('allow')).toBe('GET, HEAD, POST')
  })

  test('names the methods of a path in Allow, on every path', async () => {
    for (const [method, path, allow] of [
      ['POST', '/healthz', 'GET, HEAD'],
      ['GET', '/signer/v1/claim', 'POST'],
      ['PUT', '/api/v1/networks', 'GET, HEAD'],
      ['DELETE', '/api/v1/policy', 'GET, HEAD, PUT'],
      ['PUT', '/api/v1/withdrawals/x', 'GET, HEAD, DELETE'],
      // A literal path is not an id of the path beside it.
      ['GET', '/api/v1/withdrawals/batch', 'POST'],
      ['DELETE', '/api/v1/withdrawals/estimate', 'POST'],
      ['GET', '/api/v1/movements/consolidate', 'POST'],
      ['OPTIONS', '/api/v1/addresses', 'GET, HEAD, POST'],
    ] as const) {
      const answer = await api.call({ method, path })
      expect([path, answer.status, answer.headers.get('allow')]).toEqual([path, 405, allow])
      expect(answer.json.error?.code).toBe('METHOD_NOT_ALLOWED')
    }
    expect((await api.call({ method: 'HEAD', path: PATH })).status).toBe(200)
  })

  test('refuses an unknown query field with 400 on every route', async () => {
    const document = (await (await api.app.request('http://api.test/openapi.json')).json()) as {
      paths: Record<string, Record<string, { requestBody?: { content: Record<string, unknown> } }>>
    }
    const operator = await createOperatorKey(api.database.sql, MASTER_KEY, {
      name: 'test',
      ipAllowlist: ['127.0.0.1/32'],
    })
    const asked = []
    for (const [path, methods] of Object.entries(document.paths)) {
      if (!path.startsWith('/api/v1/')) continue
      for (const [method, { requestBody }] of Object.entries(methods)) {
        const [type = 'application/json'] = Object.keys(requestBody?.content ?? {})
        asked.push([method.toUpperCase(), path.replace(/\{\w+\}/g, 'x_1'), type])
      }
    }
    expect(asked.length).toBeGreaterThan(50)
    for (const [method = '', path = '', type = ''] of asked) {
      const answer = await api.call({
        method,
        path: `${path}?nonsense=1`,
        ...(path.startsWith('/api/v1/admin/') ? { key: operator } : {}),
        ...(method === 'GET' ? {} : { body: {}, headers: { 'Content-Type': type } }),
      })
      expect([method, path, ...outcome(answer)]).toEqual([method, path, 400, 'VALIDATION_FAILED'])
      if (method !== 'GET') continue
      expect(answer.json.error.details.fields).toContainEqual({ path: 'nonsense', reason: 'unknown field' })
    }
  })

  test('requires a body that the document calls required', async () => {
    const document = (await (await api.app.request('http://api.test/openapi.json')).json()) as {
      paths: Record<string, Record<string, { requestBody?: { required?: boolean } }>>
    }
    let required = 0
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const [name, { requestBody }] of Object.entries(methods)) {
        if (!requestBody?.required) continue
        required += 1
        const [method, sent] = [name.toUpperCase(), path.replace(/\{\w+\}/g, 'x_1')]
        for (const headers of [{}, { 'Content-Type': 'application/json' }]) {
          const answer = await api.call({ method, path: sent, headers })
          expect([method, path, ...outcome(answer)]).toEqual([method, path, 400, 'VALIDATION_FAILED'])
        }
      }
    }
    expect(required).toBeGreaterThan(15)
  })

  test('names an unknown filter instead of ignoring it', async () => {
    const answer = await get({ path: `${PATH}?user=7` })
    expect(answer.json.error.details.fields).toEqual([{ path: 'user', reason: 'unknown field' }])
  })
})

describe('idempotency', () => {
  const fresh = { ...body, new: true }

  test('returns the first answer to the same key and body', async () => {
    const headers = { 'Idempotency-Key': randomUUID() }
    const first = await post({ body: fresh, headers })
    const again = await post({ body: fresh, headers })
    expect([first.status, again.status]).toEqual([201, 201])
    expect(first.headers.get('idempotent-replayed')).toBeNull()
    expect(again.headers.get('idempotent-replayed')).toBe('true')
    expect(again.json).toEqual(first.json)
  })

  test('stores answers so that the database does not show the secrets in them', async () => {
    const key = randomUUID()
    const first = await post({ body: fresh, headers: { 'Idempotency-Key': key } })
    const [row] = await api.database.sql<
      { response: Buffer }[]
    >`SELECT response FROM idempotency_keys WHERE key = ${key}`
    expect(row?.response.length).toBeGreaterThan(0)
    expect(row?.response.includes(first.json.data.id)).toBe(false)
  })

  test('refuses another body with the same key, except from another merchant', async () => {
    const headers = { 'Idempotency-Key': randomUUID() }
    await post({ body: fresh, headers })
    expect(outcome(await post({ body: { ...fresh, label: 'x' }, headers }))).toEqual([
      409,
      'IDEMPOTENCY_CONFLICT',
    ])
    const merchantId = await api.newMerchant()
    await api.enrol(merchantId, Buffer.alloc(64, 7))
    const key = await api.newKey({ merchantId })
    expect((await post({ body: fresh, headers, key })).status).toBe(201)
  })

  test('makes one address in 20 concurrent requests; the others wait or get its answer', async () => {
    const headers = { 'Idempotency-Key': randomUUID() }
    const request = { ...fresh, user_reference: 'concurrent' }
    const answers = await Promise.all(Array.from({ length: 20 }, () => post({ body: request, headers })))
    for (const answer of answers) {
      if (answer.status !== 201) expect(outcome(answer)).toEqual([409, 'REQUEST_IN_PROGRESS'])
    }
    const ids = new Set(answers.filter((each) => each.status === 201).map((each) => each.json.data.id))
    expect(ids.size).toBe(1)
    const { json } = await get({ path: `${PATH}?user_reference=concurrent` })
    expect(json.data).toHaveLength(1)
  })

  test('reports that the first request is still under way', async () => {
    const key = randomUUID()
    await post({ body: fresh, headers: { 'Idempotency-Key': key } })
    await api.database.sql`
      UPDATE idempotency_keys SET status_code = NULL, response = NULL, locked_until = now() + interval '1 minute'
      WHERE key = ${key}`
    const answer = await post({ body: fresh, headers: { 'Idempotency-Key': key } })
    expect(outcome(answer)).toEqual([409, 'REQUEST_IN_PROGRESS'])
    expect(answer.headers.get('retry-after')).toBe('1')
  })

  test('frees the key of a process that died once its lease ends', async () => {
    const key = randomUUID()
    await post({ body: fresh, headers: { 'Idempotency-Key': key } })
    await api.database.sql`
      UPDATE idempotency_keys SET status_code = NULL, response = NULL, locked_until = now() - interval '1 second'
      WHERE key = ${key}`
    const other = await post({ body: { ...fresh, label: 'x' }, headers: { 'Idempotency-Key': key } })
    expect(outcome(other)).toEqual([409, 'IDEMPOTENCY_CONFLICT'])
    expect((await post({ body: fresh, headers: { 'Idempotency-Key': key } })).status).toBe(201)
  })

  test('stops a slow process whose key another process took over', async () => {
    const { sql } = api.database
    await sql.unsafe(`
      CREATE FUNCTION take_over() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF NEW.user_reference = 'slow' THEN UPDATE idempotency_keys SET owner = gen_random_uuid() WHERE key = 'slow'; END IF;
        RETURN NEW;
      END $$;
      CREATE TRIGGER take_over BEFORE INSERT ON addresses FOR EACH ROW EXECUTE FUNCTION take_over()`)
    const answer = await post({
      body: { ...fresh, user_reference: 'slow' },
      headers: { 'Idempotency-Key': 'slow' },
    })
    expect(outcome(answer)).toEqual([409, 'REQUEST_IN_PROGRESS'])
    expect((await get({ path: `${PATH}?user_reference=slow` })).json.data).toEqual([])
  })

  test('repeats a refusal as the first answer, but lets a malformed request be corrected', async () => {
    const key = randomUUID()
    const bad = { user_reference: 'u', network: 'bitcoin', nonsense: 1 }
    expect((await post({ body: bad, headers: { 'Idempotency-Key': key } })).status).toBe(400)
    expect((await post({ body: fresh, headers: { 'Idempotency-Key': key } })).status).toBe(201)

    const refused = { 'Idempotency-Key': randomUUID() }
    const first = await post({ body: { ...body, network: 'dogecoin' }, headers: refused })
    const again = await post({ body: { ...body, network: 'dogecoin' }, headers: refused })
    expect(outcome(first)).toEqual([422, 'UNSUPPORTED_NETWORK'])
    expect(again.json).toEqual(first.json)
    expect(again.headers.get('idempotent-replayed')).toBe('true')
  })

  test('does not store a server error', async () => {
    const { sql } = api.database
    const headers = { 'Idempotency-Key': randomUUID() }
    await sql`ALTER TABLE addresses RENAME TO addresses_away`
    const failed = await post({ body: fresh, headers })
    await sql`ALTER TABLE addresses_away RENAME TO addresses`
    expect(outcome(failed)).toEqual([500, 'INTERNAL_ERROR'])
    expect(JSON.stringify(failed.json)).not.toMatch(/relation|addresses_away|\.ts|at /)
    expect((await post({ body: fresh, headers })).status).toBe(201)
  })

  test('requires the scope for a repeated request as well', async () => {
    const headers = { 'Idempotency-Key': randomUUID() }
    await post({ body: fresh, headers })
    const key = await api.newKey({ scopes: ['read'] })
    expect(outcome(await post({ body: fresh, headers, key }))).toEqual([403, 'INSUFFICIENT_SCOPE'])
  })

  test('forgets an answer when its window ends', async () => {
    const key = randomUUID()
    const first = await post({ body: fresh, headers: { 'Idempotency-Key': key } })
    await api.database
      .sql`UPDATE idempotency_keys SET created_at = now() - interval '25 hours' WHERE key = ${key}`
    const second = await post({ body: fresh, headers: { 'Idempotency-Key': key } })
    expect(second.status).toBe(201)
    expect(second.json.data.id).not.toBe(first.json.data.id)
  })
})

test('shows no secret in any answer', async () => {
  const seen: string[] = []
  for (const call of [
    { headers: { 'X-Signature': 'ab'.repeat(32) } },
    { headers: { 'X-Api-Key': 'key_none' } },
    { body: { ...body, x: 1 } },
  ])
    seen.push(JSON.stringify((await post(call)).json))
  const { key, dependencies } = api
  for (const text of seen) {
    expect(text).not.toContain(key.secret)
    expect(text).not.toContain(dependencies.environment.KEYTURN_MASTER_KEY)
  }
})

test('answers 503 with Retry-After while PostgreSQL is away', async () => {
  const { startTestApi: start } = await import('../stage/test-api.js')
  const away = await start()
  await away.database.sql.end({ timeout: 1 })
  const answer = await away.call({ path: PATH })
  expect(outcome(answer)).toEqual([503, 'DEPENDENCY_UNAVAILABLE'])
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
  await away.database.drop()
})

test('keeps a nonce a minute longer than its timestamp is accepted', async () => {
  const nonce = randomUUID()
  await get({ nonce, timestamp: now() })
  const [row] = await api.database.sql<{ left: number }[]>`
    SELECT extract(epoch FROM expires_at - now())::double precision AS left FROM api_nonces WHERE nonce = ${nonce}`
  expect(row?.left).toBeGreaterThan(355)
  expect(row?.left).toBeLessThan(365)
})

test('answers 503 in time while a table is locked, and serves requests that do not need it', async () => {
  const locked = await startTestApi(
    {},
    { timeouts: { lock: 300, statement: 2_000, idleInTransaction: 2_000 } },
  )
  let release = () => {}
  const held = locked.database.sql.begin(async (tx) => {
    await tx`LOCK TABLE addresses IN ACCESS EXCLUSIVE MODE`
    await new Promise<void>((resolve) => {
      release = resolve
    })
  })
  await new Promise((resolve) => setTimeout(resolve, 100))
  const answers = Promise.all(Array.from({ length: 60 }, () => locked.call({ path: PATH })))
  expect(outcome(await locked.call({ path: '/api/v1/networks' }))).toEqual([200, undefined])
  for (const answer of await answers) {
    expect(outcome(answer)).toEqual([503, 'DEPENDENCY_UNAVAILABLE'])
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
  }
  release()
  await held
  expect((await locked.call({ path: PATH })).status).toBe(200)
  await locked.database.drop()
})
