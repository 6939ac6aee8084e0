/** Transfers between users and the merchant, on the books alone. */

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { postJournal } from '../../../db/books/ledger/post-journal.js'
import { inTransaction } from '../../../db/connect.js'
import { sealEvents } from '../../../db/events/log/seal-events.js'
import { newId } from '../../../db/new-id.js'
import { takeHold } from '../../../db/payouts/take-hold.js'
import { findCoin, findNetwork } from '../../../domain/chain/network.js'
import { DEFAULT_POLICY, type Policy } from '../../../domain/controls/policy.js'
import { loadNetworks } from '../../../networks/load-networks.js'
import { eventually } from '../../stage/deposit-platform.js'
import { type Answer, type ApiKeyPair, startTestApi, type TestApi } from '../../stage/test-api.js'

const ASSET = { network: 'ethereum', coin: 'usdt' }
let api: TestApi
let merchantId: string
let key: ApiKeyPair
let funded = 0

beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api?.database.drop())
beforeEach(async () => {
  merchantId = await api.newMerchant()
  key = await api.newKey({ merchantId })
})

/** Books a deposit of whole usdt. */
const fund = async (owner: string | null, whole: number) => {
  const amount = BigInt(whole) * 1_000_000n
  await postJournal(api.database.sql, {
    merchantId,
    idempotencyKey: `fund-${++funded}`,
    type: 'deposit.success',
    reference: 'fund',
    entries: [
      { ...ASSET, kind: 'chain', owner: 'a', amount },
      { ...ASSET, kind: 'available', owner: owner ?? '', amount: -amount },
    ],
  })
}
const transfer = (
  from: string | null,
  to: string | null,
  amount: string,
  more: object = {},
  headers: Record<string, string> = {},
): Promise<Answer> =>
  api.call({
    method: 'POST',
    path: '/api/v1/transfers',
    key,
    headers,
    body: { ...ASSET, from_user_reference: from, to_user_reference: to, amount, reason: 'order 7', ...more },
  })
const get = (path: string, by = key) => api.call({ path: `/api/v1${path}`, key: by })
const available = async (user: string): Promise<string> =>
  (await get(`/balances?user_reference=${user}&coin=usdt`)).json.data[0].available
const own = async (): Promise<bigint> => {
  const [row] = await api.database.sql<{ own: bigint }[]>`
    SELECT -balance AS own FROM ledger_accounts
    WHERE merchant_id = ${merchantId} AND coin = 'usdt' AND kind = 'available' AND owner = ''`
  return row?.own ?? 0n
}
const limit = async (limits: Partial<Policy['limits']>) => {
  const policy = { ...DEFAULT_POLICY, limits: { ...DEFAULT_POLICY.limits, ...limits } }
  await api.database.sql`
    INSERT INTO policies (merchant_id, version, policy) VALUES (${merchantId}, 1, ${api.database.sql.json(policy as never)})`
}

test('moves an available amount, with its events and audit entry, and shows the transfer', async () => {
  await fund('buyer', 100)
  const { status, json } = await transfer('buyer', 'seller', '40.50', { external_id: 'order-7' })
  expect(status).toBe(201)
  expect(json.data).toEqual({
    id: expect.stringMatching(/^trf_/),
    from_user_reference: 'buyer',
    to_user_reference: 'seller',
    ...ASSET,
    amount: '40.50',
    external_id: 'order-7',
    reason: 'order 7',
    journal_id: expect.stringMatching(/^\d+$/),
    created_at: expect.any(String),
  })
  expect([await available('buyer'), await available('seller')]).toEqual(['59.5', '40.5'])
  expect((await get(`/transfers/${json.data.id}`)).json.data).toEqual(json.data)
  while ((await sealEvents(api.database.sql)) > 0);
  const events = (await get('/events?limit=10')).json.data
  expect(events.map((event: { event: string }) => event.event)).toEqual([
    'transfer.created',
    'balance.updated',
    'balance.updated',
  ])
  expect(events[0].data).toEqual(json.data)
  expect(events.slice(1).map((event: { data: object }) => event.data)).toMatchObject([
    { user_reference: 'buyer', funds: [{ type: 'AVAILABLE', balance: '59.5', delta: '-40.5' }, {}] },
    { user_reference: 'seller', funds: [{ type: 'AVAILABLE', balance: '40.5', delta: '40.5' }, {}] },
  ])
  const audit = await api.database.sql`
    SELECT actor, data ->> 'id' AS id FROM audit_log WHERE merchant_id = ${merchantId} AND action = 'transfer.created'`
  expect(audit).toEqual([{ actor: `api-key:${key.id}`, id: json.data.id }])
  const [journal] = await api.database.sql`
    SELECT type, reference FROM ledger_journals WHERE id = ${json.data.journal_id}`
  expect(journal).toEqual({ type: 'transfer', reference: json.data.id })
})

test('refuses what is malformed, to oneself, too much, or used before', async () => {
  await fund('buyer', 10)
  const code = async (answer: Promise<Answer>) => {
    const { status, json } = await answer
    return [status, json.error?.code, json.error?.details]
  }
  const { from_user_reference: _, ...without } = { from_user_reference: 'x', ...ASSET }
  expect(
    (
      await api.call({
        method: 'POST',
        path: '/api/v1/transfers',
        key,
        body: { ...without, to_user_reference: 'seller', amount: '1', reason: 'r' },
      })
    ).status,
  ).toBe(400)
  expect((await transfer('buyer', 'seller', '1', { note: 'x' })).status).toBe(400)
  expect(await code(transfer('buyer', 'buyer', '1'))).toMatchObject([422, 'SAME_PARTY', {}])
  expect(await code(transfer(null, null, '1'))).toMatchObject([422, 'SAME_PARTY', {}])
  expect((await code(transfer('buyer', 'seller', '0')))[1]).toBe('INVALID_AMOUNT')
  expect(await code(transfer('buyer', 'seller', '10.000001'))).toEqual([
    422,
    'INSUFFICIENT_BALANCE',
    { requested: '10.000001', available: '10', coin: 'usdt' },
  ])
  expect((await transfer('buyer', 'seller', '1', { external_id: 'once' })).status).toBe(201)
  expect((await code(transfer('buyer', 'seller', '2', { external_id: 'once' }))).slice(0, 2)).toEqual([
    409,
    'DUPLICATE_EXTERNAL_ID',
  ])
  expect(await available('buyer')).toBe('9')
  await api.database.sql`DELETE FROM merchant_rails WHERE merchant_id = ${merchantId} AND coin = 'usdt'`
  expect((await code(transfer('buyer', 'seller', '1')))[1]).toBe('RAIL_NOT_ENABLED')
})

test('answers the same request with the same key once, and needs scope and address', async () => {
  await fund('buyer', 10)
  const headers = { 'Idempotency-Key': 'k1' }
  const first = await transfer('buyer', 'seller', '3', {}, headers)
  const second = await transfer('buyer', 'seller', '3', {}, headers)
  expect(second.json.data.id).toBe(first.json.data.id)
  expect(await available('seller')).toBe('3')
  const body = {
    ...ASSET,
    from_user_reference: 'buyer',
    to_user_reference: 'seller',
    amount: '1',
    reason: 'r',
  }
  const post = (by: ApiKeyPair) => api.call({ method: 'POST', path: '/api/v1/transfers', key: by, body })
  expect((await post(await api.newKey({ merchantId, scopes: ['read'] }))).json.error.code).toBe(
    'INSUFFICIENT_SCOPE',
  )
  expect((await post(await api.newKey({ merchantId, ipAllowlist: ['10.0.0.0/8'] }))).json.error.code).toBe(
    'IP_NOT_ALLOWED',
  )
})

test("hides transfers from other merchants, whose users' balances it never touches", async () => {
  await fund('buyer', 10)
  const { json } = await transfer('buyer', 'seller', '3')
  const stranger = await api.newKey({ merchantId: await api.newMerchant() })
  expect((await get(`/transfers/${json.data.id}`, stranger)).status).toBe(404)
  expect((await get('/transfers', stranger)).json.data).toEqual([])
  const theirs = await api.call({
    method: 'POST',
    path: '/api/v1/transfers',
    key: stranger,
    body: { ...ASSET, from_user_reference: 'buyer', to_user_reference: 'thief', amount: '1', reason: 'r' },
  })
  expect(theirs.json.error.code).toBe('INSUFFICIENT_BALANCE')
})

test('lets the own account give as much as the users hold, and no more by giving again', async () => {
  await fund(null, 30)
  await fund('buyer', 100)
  expect((await transfer(null, 'seller', '130')).status).toBe(201)
  expect(await own()).toBe(-100_000_000n)
  // 130 are there, and it may owe no more than that.
  expect((await transfer(null, 'seller', '30.000001')).json.error.details.available).toBe('30')
  expect((await transfer(null, 'seller', '30')).status).toBe(201)
  const again = await transfer(null, 'seller', '0.000001')
  expect(again.json.error).toMatchObject({ code: 'INSUFFICIENT_BALANCE', details: { available: '0' } })
  expect((await transfer('seller', null, '50')).status).toBe(201)
  expect((await transfer(null, 'seller', '50.000001')).json.error.details.available).toBe('50')
  expect((await transfer(null, 'seller', '50')).status).toBe(201)
})

/** Holds 100 usdt for a withdrawal as its request does, and runs `meanwhile` before the transaction ends. */
const hold = (userReference: string | null, meanwhile: () => Promise<void> = async () => {}) =>
  inTransaction(api.database.sql, async (tx) => {
    const network = findNetwork(await loadNetworks(undefined, {}), 'ethereum')
    const coin = findCoin(network, 'usdt')
    await takeHold(tx, {
      ...{ id: newId('withdrawal'), merchantId, network, coin, userReference },
      ...{ amount: 100_000_000n, feeLimit: 0n, feePayer: 'recipient' },
    })
    await meanwhile()
  })

test('gives nothing that a user is withdrawing at the same time', async () => {
  await fund('buyer', 100)
  let given: Promise<Answer> | undefined
  await hold('buyer', async () => {
    given = transfer(null, 'seller', '100')
    await eventually(async () => {
      const waiting = await api.database.sql`
        SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
      expect(waiting).toHaveLength(1)
    })
  })
  expect((await given)?.json.error).toMatchObject({
    code: 'INSUFFICIENT_BALANCE',
    details: { available: '0' },
  })
})

test('leaves nothing for a withdrawal of the own account that it has given away on credit', async () => {
  await fund('buyer', 100)
  expect((await transfer(null, 'seller', '100')).status).toBe(201)
  await expect(hold(null)).rejects.toMatchObject({
    code: 'INSUFFICIENT_BALANCE',
    details: { available: '0' },
  })
})

test("counts against the sender's and the merchant's limits, together with withdrawals", async () => {
  await fund('buyer', 100)
  await fund('other', 100)
  await limit({ user: [{ ...ASSET, daily: '10', monthly: '15' }] })
  expect((await transfer('buyer', 'seller', '6')).status).toBe(201)
  expect((await transfer('buyer', 'seller', '5')).json.error).toMatchObject({
    code: 'DAILY_LIMIT_EXCEEDED',
    details: { limit: '10', used: '6', requested: '5', available: '4' },
  })
  await api.database.sql`
    UPDATE transfers SET created_at = created_at - interval '25 hours', id = overlay(id placing '000000000000' from 5 for 12)
    WHERE merchant_id = ${merchantId}`
  await api.database.sql`
    UPDATE transfers SET id = 'trf_' || lpad(to_hex((extract(epoch FROM created_at) * 1000)::bigint), 12, '0') || substr(id, 17)
    WHERE merchant_id = ${merchantId}`
  expect((await transfer('buyer', 'seller', '9.5')).json.error.code).toBe('MONTHLY_LIMIT_EXCEEDED')
  expect((await transfer('buyer', 'seller', '9')).status).toBe(201)
  // Another sender has a limit of their own, and the own account has none of a user.
  expect((await transfer('other', 'seller', '10')).status).toBe(201)
  expect((await transfer(null, 'seller', '20')).status).toBe(201)
})

test('lists by each filter and by cursor, newest first, while transfers are added', async () => {
  await fund('buyer', 100)
  const ids: string[] = []
  for (const to of ['s1', 's2', 's1', 's3'])
    ids.unshift((await transfer('buyer', to, '1', { external_id: `x${ids.length}` })).json.data.id)
  const list = async (query: string) =>
    (await get(`/transfers?${query}`)).json.data.map((each: { id: string }) => each.id)
  expect(await list('')).toEqual(ids)
  expect(await list('user_reference=s1')).toEqual([ids[1], ids[3]])
  expect(await list('user_reference=buyer&limit=2&page=2')).toEqual(ids.slice(2))
  expect(await list('external_id=x2')).toEqual([ids[1]])
  expect(await list('network=ethereum&coin=usdt')).toHaveLength(4)
  expect(await list('coin=eth')).toEqual([])
  const { json } = await get(`/transfers/${ids[1]}`)
  const at = encodeURIComponent(json.data.created_at)
  expect(await list(`from_date=${at}`)).toContain(ids[1])
  expect(await list(`to_date=${at}`)).not.toContain(ids[1])
  const first = await get('/transfers?user_reference=buyer&limit=2')
  await transfer('buyer', 's1', '1')
  expect(await list(`user_reference=buyer&limit=2&cursor=${first.json.pagination.next_cursor}`)).toEqual(
    ids.slice(2),
  )
})

test('never overdraws and never deadlocks when 50 transfers run in a ring', async () => {
  const users = Array.from({ length: 10 }, (_, index) => `ring-${index}`)
  for (const user of users) await fund(user, 3)
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      transfer(users[index % 10] ?? '', users[(index + (index % 2 === 0 ? 1 : 9)) % 10] ?? '', '2'),
    ),
  )
  for (const { status, json } of answers) {
    expect(status === 201 || json.error.code === 'INSUFFICIENT_BALANCE', JSON.stringify(json)).toBe(true)
  }
  expect(answers.filter(({ status }) => status === 201).length).toBeGreaterThanOrEqual(10)
  const rows = await api.database.sql<{ owner: string; available: bigint }[]>`
    SELECT owner, -balance AS available FROM ledger_accounts
    WHERE merchant_id = ${merchantId} AND kind = 'available' AND owner LIKE 'ring-%'`
  expect(rows.every((row) => row.available >= 0n)).toBe(true)
  expect(rows.reduce((sum, row) => sum + row.available, 0n)).toBe(30_000_000n)
  // A posting that dies between its steps leaves neither part: every transfer has its journal.
  const [orphans] = await api.database.sql<{ count: bigint }[]>`
    SELECT count(*) FROM transfers LEFT JOIN ledger_journals journal ON journal.id = transfers.journal_id
    WHERE journal.id IS NULL`
  expect(orphans?.count).toBe(0n)
})
