/** Balances of the past, totals and the settlement report, over HTTP. */

import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { postJournal } from '../../../db/books/ledger/post-journal.js'
import { newId } from '../../../db/new-id.js'
import { findCoin, findNetwork, type Network } from '../../../domain/chain/network.js'
import { loadNetworks } from '../../../networks/load-networks.js'
import { startTestApi, type TestApi } from '../../stage/test-api.js'

const ASSET = { network: 'bitcoin', coin: 'btc' }
let api: TestApi
let addressId: string

beforeAll(async () => {
  api = await startTestApi()
  await api.enrol(api.merchantId)
  const { json } = await api.call({
    method: 'POST',
    path: '/api/v1/addresses',
    body: { user_reference: 'alice', network: 'bitcoin' },
  })
  addressId = json.data.id
  const { sql } = api.database
  await sql`INSERT INTO chain_cursors (network, height, block_hash, head_height) VALUES ('bitcoin', 100, '00', 100)`
  await deposit(100, 2)
  // The own account pays 0.1 to alice, in no block, when block 100 was scanned.
  await api.call({
    method: 'POST',
    path: '/api/v1/transfers',
    body: { ...ASSET, from_user_reference: null, to_user_reference: 'alice', amount: '0.1', reason: 'bonus' },
  })
  await sql`UPDATE chain_cursors SET height = 105, head_height = 105`
  await deposit(103, 1)
})
afterAll(() => api?.database.drop())

/** Books a credited deposit of alice, an hour after it was first seen. */
async function deposit(block: number, whole: number): Promise<void> {
  const { sql } = api.database
  const id = newId('dep')
  const amount = BigInt(whole) * 100_000_000n
  const [now] = await sql<{ now: Date }[]>`SELECT clock_timestamp() AS now`
  const seen = new Date((now?.now.getTime() ?? 0) - 3_600_000).toISOString()
  await sql`
    INSERT INTO deposits (id, merchant_id, network, coin, address_id, user_reference, txid, output_index, amount, status,
                          block_number, required_confirmations, history, detected_at, confirmed_at, credited_at)
    VALUES (${id}, ${api.merchantId}, 'bitcoin', 'btc', ${addressId}, 'alice', ${id}, 0, ${amount}, 'success', ${block}, 3,
            ${sql.json([{ status: 'detected', at: seen, cause: 'x' }])}, ${seen}, clock_timestamp(), clock_timestamp())`
  await postJournal(sql, {
    merchantId: api.merchantId,
    idempotencyKey: id,
    type: 'deposit.success',
    reference: id,
    height: block,
    entries: [
      { ...ASSET, kind: 'chain', owner: addressId, amount },
      { ...ASSET, kind: 'available', owner: 'alice', amount: -amount },
    ],
  })
}

const get = (path: string) => api.call({ path: `/api/v1${path}` })
const btc = async (query: string) =>
  (await get(`/balances?network=bitcoin&coin=btc&${query}`)).json.data[0] ?? null

test('counts blocks up to the one asked for, and what has no block from the next one on', async () => {
  expect(await btc('as_of_block=99')).toMatchObject({ available: '0', blockchain: '0' })
  expect(await btc('user_reference=alice&as_of_block=100')).toMatchObject({ available: '2', blockchain: '2' })
  expect(await btc('user_reference=alice&as_of_block=101')).toMatchObject({ available: '2.1' })
  expect(await btc('user_reference=alice&as_of_block=103')).toMatchObject({
    available: '3.1',
    spendable: null,
  })
  expect(await btc('account=merchant&as_of_block=100')).toMatchObject({ available: '0' })
  expect(await btc('account=merchant&as_of_block=101')).toMatchObject({ available: '-0.1', blockchain: '0' })
  expect(await btc('account=merchant')).toMatchObject({ available: '-0.1', spendable: '0' })
  expect(await btc('as_of_block=105')).toMatchObject({ available: '3', blockchain: '3' })
})

test('takes a day as its midnight in UTC', async () => {
  const day = (date: Date) => date.toISOString().slice(0, 10)
  const now = new Date()
  const tomorrow = day(new Date(now.getTime() + 86_400_000))
  expect(await btc(`as_of=${tomorrow}`)).toMatchObject({ available: '3' })
  expect(await btc(`as_of=${tomorrow}`)).toEqual(await btc(`as_of=${tomorrow}T00:00:00Z`))
  expect(await btc('as_of=2026-01-01')).toMatchObject({ available: '0' })
  expect((await get('/balances?as_of=2026-02-30')).status).toBe(400)
})

test('counts the last microseconds of a month in its float, and the first of the next in none', async () => {
  const { sql } = api.database
  const merchantId = await api.newMerchant()
  await api.enrol(merchantId, Buffer.alloc(32, 5))
  const key = await api.newKey({ merchantId })
  const call = { method: 'POST', path: '/api/v1/addresses', key }
  const address = await api.call({ ...call, body: { user_reference: 'eve', network: 'bitcoin' } })
  const id = address.json.data.id
  const entries = [
    ['2025-03-31 23:59:59.999999Z', 1n],
    ['2025-04-01 00:00:00Z', 2n],
  ] as const
  // The rows are made by hand, because the ledger takes the time itself.
  await sql.begin(async (tx) => {
    await tx`SET LOCAL session_replication_role = 'replica'`
    const [account] = await tx<{ id: bigint }[]>`
      INSERT INTO ledger_accounts (merchant_id, network, coin, kind, owner, balance, version, created_at, updated_at)
      VALUES (${merchantId}, 'bitcoin', 'btc', 'chain', ${id}, 3, 2, ${entries[0][0]}::text::timestamptz, ${entries[1][0]}::text::timestamptz) RETURNING id`
    for (const [index, [at, amount]] of entries.entries()) {
      const version = index + 1
      const [journal] = await tx<{ id: bigint }[]>`
        INSERT INTO ledger_journals (merchant_id, idempotency_key, request_hash, type, reference, recorded_at)
        VALUES (${merchantId}, ${String(version)}, '', 'fill', 'fill', ${at}::text::timestamptz) RETURNING id`
      await tx`
        INSERT INTO ledger_entries (account_id, account_version, journal_id, amount, balance_after, recorded_at)
        VALUES (${account?.id ?? 0n}, ${version}, ${journal?.id ?? 0n}, ${amount}, ${index === 0 ? 1n : 3n}, ${at}::text::timestamptz)`
    }
  })
  const float = async (month: string) => {
    const { json } = await api.call({ path: `/api/v1/reports/settlement?period=${month}`, key })
    return json.data.find((row: { coin: string }) => row.coin === 'btc')?.float
  }
  expect(await float('2025-02')).toBe('0')
  expect(await float('2025-03')).toBe('0.00000001')
  expect(await float('2025-04')).toBe('0.00000003')
})

test('refuses a block without a network, beside a time, or that was not scanned', async () => {
  for (const query of [
    'as_of_block=5',
    'network=bitcoin&as_of_block=5&as_of=2026-01-01T00:00:00Z',
    'network=bitcoin&as_of_block=-1',
    'network=bitcoin&as_of_block=x',
    'network=bitcoin&as_of_block=',
    'network=bitcoin&as_of_block=%20',
    'network=bitcoin&as_of_block=0x5',
    'limit=',
    'account=other',
    'account=merchant&user_reference=alice',
  ]) {
    const { status, json } = await get(`/balances?${query}`)
    expect([query, status, json.error.code]).toEqual([query, 400, 'VALIDATION_FAILED'])
  }
  for (const query of ['network=bitcoin&as_of_block=106', 'network=ethereum&as_of_block=0']) {
    const { status, json } = await get(`/balances?${query}`)
    expect([query, status, json.error.code]).toEqual([query, 422, 'BLOCK_NOT_SCANNED'])
  }
})

test('sums what came in and left by coin, user and address, page by page', async () => {
  const totals = async (query: string) => (await get(`/balances/totals?${query}`)).json
  const zero = { withdrawn: '0', fees: '0' }
  expect((await totals('')).data).toEqual([
    { ...ASSET, deposited: '3', ...zero, transferred_in: '0.1', transferred_out: '0.1', balance: '3' },
  ])
  const alice = {
    ...ASSET,
    deposited: '3',
    ...zero,
    transferred_in: '0.1',
    transferred_out: '0',
    balance: '3.1',
  }
  const own = {
    ...ASSET,
    deposited: '0',
    ...zero,
    transferred_in: '0',
    transferred_out: '0.1',
    balance: '-0.1',
  }
  const first = await totals('group_by=user&limit=1')
  const second = await totals(`group_by=user&limit=1&cursor=${first.pagination.next_cursor}`)
  expect([...first.data, ...second.data]).toEqual([
    { ...own, user_reference: null },
    { ...alice, user_reference: 'alice' },
  ])
  expect(second.pagination.has_more).toBe(false)
  expect((await totals('group_by=user&user_reference=alice')).data).toEqual([
    { ...alice, user_reference: 'alice' },
  ])
  expect((await totals('account=merchant')).data).toEqual([own])
  expect((await totals('group_by=address')).data).toMatchObject([
    { address_id: addressId, address: expect.stringMatching(/^bcrt1/), deposited: '3', balance: '3' },
  ])
  expect((await totals('group_by=address&user_reference=bob')).data).toEqual([])
  expect((await totals('group_by=month')).error.code).toBe('VALIDATION_FAILED')
  expect((await totals(`group_by=user&cursor=${Buffer.from('abc').toString('base64url')}`)).error.code).toBe(
    'VALIDATION_FAILED',
  )
  const stranger = await api.newKey({ merchantId: await api.newMerchant() })
  const theirs = await api.call({ path: `/api/v1/balances/totals?address_id=${addressId}`, key: stranger })
  expect(theirs.status).toBe(404)
})

test('reports float and times of a month, and says whether it has ended', async () => {
  const period = new Date().toISOString().slice(0, 7)
  const rail = async (month: string) =>
    (await get(`/reports/settlement?period=${month}`)).json.data.find(
      (row: { coin: string }) => row.coin === 'btc',
    )
  const report = await rail(period)
  expect(report).toMatchObject({ ...ASSET, float: '3', provisional: true })
  expect(report.credit_seconds).toMatchObject({ count: 2 })
  expect(Math.round(report.credit_seconds.p50 / 60)).toBe(60)
  expect(report.confirmation_seconds).toEqual({ count: 0, p50: null, p95: null })
  expect(await rail('2020-02')).toMatchObject({
    float: '0',
    provisional: false,
    credit_seconds: { count: 0 },
  })
  expect((await get('/reports/settlement?period=2026-13')).status).toBe(400)
  expect((await get('/reports/settlement')).status).toBe(400)
})

test('pages totals by coin through every coin once, however many a page has', async () => {
  const configured = await loadNetworks(undefined, {})
  const bitcoin = findNetwork(configured, 'bitcoin')
  const cash = {
    ...bitcoin,
    name: 'bitcoin-cash',
    coins: [{ ...findCoin(bitcoin, 'btc'), name: 'bch' }],
  } as Network
  const other = await startTestApi({}, { networks: new Map([...configured, [cash.name, cash]]) })
  onTestFinished(() => other.database.drop())
  const { merchantId } = other
  const assets = [
    { network: 'bitcoin', coin: 'btc' },
    { network: 'bitcoin-cash', coin: 'bch' },
    { network: 'ethereum', coin: 'eth' },
  ]
  for (const asset of assets) {
    await postJournal(other.database.sql, {
      ...{ merchantId, idempotencyKey: asset.network, type: 'deposit.success', reference: 'fund' },
      entries: [
        { ...asset, kind: 'chain', owner: 'a', amount: 1n },
        { ...asset, kind: 'available', owner: 'alice', amount: -1n },
      ],
    })
  }
  for (const limit of [1, 2, 3]) {
    const seen: string[] = []
    for (let cursor: string | null = ''; cursor !== null && seen.length < 9; ) {
      const query: string = `group_by=coin&limit=${limit}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`
      const { json } = await other.call({ path: `/api/v1/balances/totals?${query}` })
      seen.push(...json.data.map((each: { network: string }) => each.network))
      cursor = json.pagination.next_cursor
    }
    expect(seen.sort()).toEqual(assets.map(({ network }) => network))
  }
})
