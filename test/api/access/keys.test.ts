/** API keys: who makes which, and what a rotation and a revocation end. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { purgePreviousKeys } from '../../../db/access/purge-previous-keys.js'
import { createPerson } from '../../../db/merchants/create-person.js'
import { resealSecrets } from '../../../db/reseal-secrets.js'
import { newPerson } from '../../stage/people.js'
import { type ApiKeyPair, MASTER_KEY, startTestApi, type TestApi } from '../../stage/test-api.js'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api?.database.drop())

const EVERYWHERE = ['0.0.0.0/0', '::/0']
const make = (change: object = {}, key: ApiKeyPair = api.key) =>
  api.call({
    method: 'POST',
    path: '/api/v1/keys',
    body: { name: 'backend', scopes: ['read'], ip_allowlist: EVERYWHERE, ...change },
    key,
  })
const pairOf = (json: { data: { api_key: string; api_secret: string } }): ApiKeyPair => ({
  id: json.data.api_key,
  secret: json.data.api_secret,
})
const rotate = (id: string, body?: object, key: ApiKeyPair = api.key) =>
  api.call({ method: 'POST', path: `/api/v1/keys/${id}/rotate`, key, ...(body ? { body } : {}) })
const statusWith = async (key: ApiKeyPair) => (await api.call({ path: '/api/v1/networks', key })).status
const listed = async (key: ApiKeyPair = api.key) =>
  (await api.call({ path: '/api/v1/keys?limit=100', key })).json.data as { id: string }[]

test('makes a key that works, shows its secret once, and says when it was last used', async () => {
  const { status, json } = await make({ ip_allowlist: ['192.0.2.0/24'] })
  expect(status).toBe(201)
  expect(json.data).toMatchObject({ scopes: ['read'], ip_allowlist: ['192.0.2.0/24'], last_used_at: null })
  expect(await statusWith(pairOf(json))).toBe(200)
  const found = (await listed()).find(({ id }) => id === json.data.id)
  expect(found).toMatchObject({ api_key: json.data.api_key, last_used_at: expect.any(String), previous: [] })
  expect(JSON.stringify(found)).not.toContain(json.data.api_secret)
  const stored = await api.database.sql`
    SELECT FROM audit_log WHERE data::text LIKE ${`%${json.data.api_secret}%`}`
  expect(stored).toHaveLength(0)
})

test('gives the same answer, with its secret, to the same request', async () => {
  const call = {
    method: 'POST',
    path: '/api/v1/keys',
    body: { name: 'once', scopes: ['read'], ip_allowlist: [] },
    headers: { 'idempotency-key': 'make-once' },
  }
  const [first, second] = [await api.call(call), await api.call(call)]
  expect(second.json).toEqual(first.json)
  expect((await listed()).filter((each) => (each as { name?: string }).name === 'once')).toHaveLength(1)
})

test('grants no scope that its maker lacks, and none to whom lacks admin', async () => {
  const maker = await api.newKey({ scopes: ['read', 'admin'] })
  expect((await make({ scopes: ['read', 'withdrawals'] }, maker)).json.error).toMatchObject({
    code: 'INSUFFICIENT_SCOPE',
    details: { required: ['withdrawals'] },
  })
  expect((await make({ scopes: ['read'] }, maker)).status).toBe(201)
  expect((await make({}, await api.newKey({ scopes: ['read'] }))).status).toBe(403)
  expect((await make({ scopes: ['operator'] })).status).toBe(400)
  // Nor does it get the secret of a key with more scopes.
  const { json } = await make({ scopes: ['withdrawals'] })
  expect((await rotate(json.data.id, undefined, maker)).json.error.code).toBe('INSUFFICIENT_SCOPE')
})

test.each([
  [{ ip_allowlist: ['300.0.0.1'] }, 400],
  [{ ip_allowlist: ['10.0.0.0/33'] }, 400],
  [{ scopes: [] }, 400],
  [{ scopes: ['read', 'read'] }, 400],
  [{ name: ' ' }, 400],
  [{ person_id: 'per_unknown' }, 422],
  [{ rate_limit_per_minute: 5 }, 400],
])('refuses the key %j with %i', async (change, status) => {
  expect((await make(change)).status).toBe(status)
})

test('makes a key for a person of the merchant, and for no other', async () => {
  const { sql } = api.database
  const ours = await createPerson(sql, { merchantId: api.merchantId, name: 'Ada' })
  const other = await createPerson(sql, { merchantId: await api.newMerchant(), name: 'Eve' })
  expect((await make({ person_id: ours })).json.data.person_id).toBe(ours)
  expect((await make({ person_id: other })).status).toBe(422)
})

test('rotates: the id stays, both secrets work until the overlap ends, and then the new one alone', async () => {
  const { json } = await make()
  const first = pairOf(json)
  const rotated = await rotate(json.data.id, { overlap_seconds: 2 })
  expect(rotated.json.data).toMatchObject({ id: json.data.id, previous: [{ api_key: first.id }] })
  const second = pairOf(rotated.json)
  expect([second.id === first.id, second.secret === first.secret]).toEqual([false, false])
  expect([await statusWith(first), await statusWith(second)]).toEqual([200, 200])
  await expect.poll(() => statusWith(first), { timeout: 5_000 }).toBe(401)
  expect(await statusWith(second)).toBe(200)
  const third = pairOf((await rotate(json.data.id, { overlap_seconds: 0 })).json)
  await expect.poll(() => statusWith(second), { timeout: 5_000 }).toBe(401)
  expect(await statusWith(third)).toBe(200)
  // A secret of one public id does not open another.
  expect(await statusWith({ id: third.id, secret: second.secret })).toBe(401)
})

test('ends what all rotations replaced when one has no overlap', async () => {
  const { json } = await make()
  const second = pairOf((await rotate(json.data.id, { overlap_seconds: 3_600 })).json)
  const third = pairOf((await rotate(json.data.id, { overlap_seconds: 0 })).json)
  await expect.poll(() => statusWith(pairOf(json)), { timeout: 5_000 }).toBe(401)
  await expect.poll(() => statusWith(second), { timeout: 5_000 }).toBe(401)
  expect(await statusWith(third)).toBe(200)
})

test('bounds the replaced secrets of a key, and the keys of a merchant', async () => {
  const { json } = await make()
  for (let index = 0; index < 5; index++) expect((await rotate(json.data.id)).status).toBe(200)
  expect((await rotate(json.data.id)).json.error.code).toBe('INVALID_STATE')
  expect((await rotate(json.data.id, { overlap_seconds: 0 })).status).toBe(200)
  const merchantId = await api.newMerchant()
  const key = await api.newKey({ merchantId, rateLimitPerMinute: 500 })
  await api.database.sql`
    INSERT INTO api_keys (id, public_id, merchant_id, name, secret_sealed, scopes, ip_allowlist)
    SELECT 'key_many_' || n, 'key_many_' || n, ${merchantId}, 'many', '', ARRAY['read'], ARRAY[]::text[]
    FROM generate_series(1, 98) n`
  const last = await make({}, key)
  expect(last.status).toBe(201)
  const [row] = await api.database
    .sql`SELECT rate_limit_per_minute AS rate FROM api_keys WHERE id = ${last.json.data.id}`
  // A key gives no more than its own rate.
  expect(row?.rate).toBe(500)
  expect((await make({}, key)).json.error.code).toBe('INVALID_STATE')
})

test('makes and rotates the key of a person of finance only with the scope that the role stands for', async () => {
  const person = await newPerson(api, 'finance')
  await api.database.sql`UPDATE approvers SET role = 'finance' WHERE person_id = ${person.id}`
  const maker = await api.newKey({ scopes: ['read', 'admin'] })
  expect((await make({ person_id: person.id }, maker)).json.error.details.required).toEqual([
    'reconciliation',
  ])
  const { status, json } = await make({ person_id: person.id })
  expect(status).toBe(201)
  expect((await rotate(json.data.id, undefined, maker)).status).toBe(403)
})

test('shows a secret to no other key that repeats the request', async () => {
  const call = (key: ApiKeyPair) =>
    api.call({
      method: 'POST',
      path: '/api/v1/keys',
      body: { name: 'mine', scopes: ['withdrawals'], ip_allowlist: [] },
      headers: { 'idempotency-key': 'mine' },
      key,
    })
  expect((await call(api.key)).status).toBe(201)
  const other = await call(await api.newKey({ scopes: ['admin'] }))
  expect(other.json.error.code).toBe('IDEMPOTENCY_CONFLICT')
})

test('rotates itself only with an overlap, so that it can ask for a lost answer again', async () => {
  const own = pairOf((await make({ scopes: ['read', 'admin'] })).json)
  expect((await rotate(own.id, { overlap_seconds: 0 }, own)).json.error.code).toBe('INVALID_STATE')
  const lost = {
    method: 'POST',
    path: `/api/v1/keys/${own.id}/rotate`,
    body: { overlap_seconds: 60 },
    headers: { 'idempotency-key': 'lost' },
    key: own,
  }
  const first = await api.call(lost)
  expect((await api.call(lost)).json).toEqual(first.json)
})

test('seals replaced secrets again under a new master key', async () => {
  const { json } = await make()
  await rotate(json.data.id)
  const { sql } = api.database
  const next = '22'.repeat(32)
  const sealed = async () =>
    (await sql`SELECT secret_sealed FROM previous_api_keys WHERE api_key_id = ${json.data.id}`)[0]
      ?.secret_sealed
  const before = await sealed()
  await resealSecrets(sql, [next, MASTER_KEY])
  expect((await sealed()).equals(before)).toBe(false)
  await resealSecrets(sql, [MASTER_KEY, next])
  expect(await statusWith(pairOf(json))).toBe(200)
})

test('revokes a key with all that rotations replaced, but not the one that asks', async () => {
  const { json } = await make()
  const second = pairOf((await rotate(json.data.id)).json)
  const remove = (id: string) => api.call({ method: 'DELETE', path: `/api/v1/keys/${id}` })
  expect((await remove(json.data.id)).status).toBe(200)
  await expect.poll(() => statusWith(pairOf(json)), { timeout: 5_000 }).toBe(401)
  await expect.poll(() => statusWith(second), { timeout: 5_000 }).toBe(401)
  expect((await remove(json.data.id)).status).toBe(404)
  expect((await remove(api.key.id)).json.error.code).toBe('INVALID_STATE')
  expect((await listed()).some(({ id }) => id === json.data.id)).toBe(false)
})

test('shows and changes no key of another merchant', async () => {
  const stranger = await api.newKey({ merchantId: await api.newMerchant() })
  const { json } = await make()
  expect((await listed(stranger)).some(({ id }) => id === json.data.id)).toBe(false)
  expect((await rotate(json.data.id, undefined, stranger)).status).toBe(404)
  const remove = { method: 'DELETE', path: `/api/v1/keys/${json.data.id}`, key: stranger }
  expect((await api.call(remove)).status).toBe(404)
})

test('forgets replaced secrets once their time is over', async () => {
  const { json } = await make()
  await rotate(json.data.id, { overlap_seconds: 1 })
  const { sql } = api.database
  await sql`UPDATE previous_api_keys SET expires_at = now() - interval '1 second'`
  await purgePreviousKeys(sql)
  expect(await sql`SELECT FROM previous_api_keys`).toHaveLength(0)
})
