/** Addresses through the API: one for each user, unique under concurrency, listed by pages. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApi, type TestApi } from '../../stage/test-api.js'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
  await api.enrol(api.merchantId)
})
afterAll(() => api?.database.drop())

const post = (body: unknown, headers: Record<string, string> = {}) =>
  api.call({ method: 'POST', path: '/api/v1/addresses', body, headers })

test('makes an address at the first request and finds it at the next', async () => {
  const made = await post({ user_reference: 'user-1', network: 'bitcoin', label: 'first' })
  expect(made.status).toBe(201)
  expect(made.json).toMatchObject({
    success: true,
    data: { network: 'bitcoin', user_reference: 'user-1', label: 'first', kind: 'deposit' },
  })
  expect(made.json.data.address).toMatch(/^bcrt1q[0-9a-z]{38}$/)
  expect(made.json.data.derivation_path).toMatch(/^m\/84'\/1'\/0'\/0\/\d+$/)
  const found = await post({ user_reference: 'user-1', network: 'bitcoin' })
  expect(found.status).toBe(200)
  expect(found.json.data).toEqual(made.json.data)
  const other = await post({ user_reference: 'user-1', network: 'bitcoin', new: true })
  expect(other.status).toBe(201)
  expect(other.json.data.address).not.toBe(made.json.data.address)
  const newest = await post({ user_reference: 'user-1', network: 'bitcoin' })
  expect(newest.json.data.id).toBe(other.json.data.id)
})

test('makes 1,000 different addresses at once, without a gap in their indices', async () => {
  const answers = await Promise.all(
    Array.from({ length: 1_000 }, (_, i) => post({ user_reference: `crowd-${i}`, network: 'ethereum' })),
  )
  expect(new Set(answers.map((each) => each.status))).toEqual(new Set([201]))
  expect(new Set(answers.map((each) => each.json.data.address)).size).toBe(1_000)
  const [row] = await api.database.sql<{ n: number; used: number }[]>`
    SELECT count(*)::int AS n, max(next_index) AS used FROM addresses JOIN key_accounts account ON account.id = key_account_id
    WHERE addresses.network = 'ethereum'`
  expect(row?.n).toBe(row?.used)
})

test('makes one address for 50 concurrent first requests of one user', async () => {
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => post({ user_reference: 'same', network: 'bitcoin' })),
  )
  expect(new Set(answers.map((each) => each.json.data.id)).size).toBe(1)
  expect(answers.filter((each) => each.status === 201)).toHaveLength(1)
})

test('distinguishes an unknown network, a disabled rail and a missing signer', async () => {
  const unknown = await post({ user_reference: 'u', network: 'dogecoin' })
  expect([unknown.status, unknown.json.error.code]).toEqual([422, 'UNSUPPORTED_NETWORK'])

  const merchantId = await api.newMerchant()
  const key = await api.newKey({ merchantId })
  const call = {
    method: 'POST',
    path: '/api/v1/addresses',
    key,
    body: { user_reference: 'u', network: 'bitcoin' },
  }
  const unsigned = await api.call(call)
  expect([unsigned.status, unsigned.json.error.code]).toEqual([422, 'NO_SIGNER'])
  await api.database.sql`DELETE FROM merchant_rails WHERE merchant_id = ${merchantId}`
  const closed = await api.call(call)
  expect([closed.status, closed.json.error.code]).toEqual([422, 'RAIL_NOT_ENABLED'])
})

test('shows an address by its id to its own merchant only', async () => {
  const { json } = await post({ user_reference: 'mine', network: 'bitcoin' })
  const path = `/api/v1/addresses/${json.data.id}`
  expect((await api.call({ path })).json.data).toEqual(json.data)
  const stranger = await api.newKey({ merchantId: await api.newMerchant() })
  const refused = await api.call({ path, key: stranger })
  expect([refused.status, refused.json.error.code]).toEqual([404, 'NOT_FOUND'])
  const absent = await api.call({ path: '/api/v1/addresses/addr_none', key: stranger })
  expect(refused.json.error.message.replace(json.data.id, 'X')).toBe(
    absent.json.error.message.replace('addr_none', 'X'),
  )
})

test('keeps pages by cursor stable while addresses are added', async () => {
  for (let i = 0; i < 25; i++) await post({ user_reference: 'pager', network: 'ethereum', new: true })
  const seen: string[] = []
  let cursor = ''
  for (;;) {
    const { json } = await api.call({
      path: `/api/v1/addresses?user_reference=pager&limit=10${cursor && `&cursor=${cursor}`}`,
    })
    seen.push(...json.data.map((each: { id: string }) => each.id))
    await post({ user_reference: 'pager', network: 'ethereum', new: true })
    if (!json.pagination.has_more) break
    cursor = json.pagination.next_cursor
  }
  expect(seen).toHaveLength(25)
  expect(new Set(seen).size).toBe(25)
  expect([...seen].sort().reverse()).toEqual(seen)
})

test('says in pages by number which page it is and whether there is more', async () => {
  for (let i = 0; i < 5; i++) await post({ user_reference: 'numbers', network: 'bitcoin', new: true })
  const path = '/api/v1/addresses?user_reference=numbers&limit=2'
  const second = await api.call({ path: `${path}&page=2` })
  expect(second.json.pagination).toMatchObject({ page: 2, limit: 2, has_more: true })
  const third = await api.call({ path: `${path}&page=3` })
  expect(third.json.data).toHaveLength(1)
  expect(third.json.pagination).toEqual({ page: 3, limit: 2, has_more: false, next_cursor: null })
  const tooMany = await api.call({ path: '/api/v1/addresses?limit=101' })
  expect([tooMany.status, tooMany.json.error.code]).toEqual([400, 'VALIDATION_FAILED'])
})

test('finds an Ethereum address in upper, lower and mixed case', async () => {
  const { json } = await post({ user_reference: 'case', network: 'ethereum' })
  const { json: found } = await api.call({
    path: `/api/v1/addresses?address=${json.data.address.toLowerCase()}`,
  })
  expect(found.data.map((each: { id: string }) => each.id)).toEqual([json.data.id])
})

test('issues no new address after a start of the database until its counter was compared, but shows existing ones', async () => {
  const { sql } = api.database
  await post({ user_reference: 'before', network: 'bitcoin' })
  await sql`UPDATE key_accounts SET counter_compared = 'an earlier start' WHERE network = 'bitcoin'`
  expect((await post({ user_reference: 'before', network: 'bitcoin' })).status).toBe(200)
  const compared = setTimeout(
    () =>
      void sql`UPDATE key_accounts SET counter_compared = database_incarnation() WHERE network = 'bitcoin'`.execute(),
    600,
  )
  expect((await post({ user_reference: 'after', network: 'bitcoin' })).status).toBe(201)
  clearTimeout(compared)

  await sql`UPDATE key_accounts SET counter_compared = 'an earlier start' WHERE network = 'bitcoin'`
  const refused = await post({ user_reference: 'later', network: 'bitcoin' })
  expect([refused.status, refused.json.error.code]).toEqual([503, 'DEPENDENCY_UNAVAILABLE'])
  await sql`UPDATE key_accounts SET counter_compared = database_incarnation() WHERE network = 'bitcoin'`
})
