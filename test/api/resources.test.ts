/** Lists and details of deposits, balances, wallets, networks and the audit log. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApp } from '../../api/create-app.js'
import { sealAudit } from '../../db/audit/seal-audit.js'
import { newId } from '../../db/new-id.js'
import { signedHeaders, startTestApi, type TestApi } from '../stage/test-api.js'

let api: TestApi
let address: { id: string; address: string }
beforeAll(async () => {
  api = await startTestApi()
  await api.enrol(api.merchantId)
  const { json } = await api.call({
    method: 'POST',
    path: '/api/v1/addresses',
    body: { user_reference: 'alice', network: 'bitcoin', label: 'Alice' },
  })
  address = json.data
  await api.database.sql`
    INSERT INTO chain_cursors (network, height, block_hash, head_height) VALUES ('bitcoin', 101, '00', 103)`
})
afterAll(() => api?.database.drop())

const get = (path: string) => api.call({ path: `/api/v1${path}` })

async function insertDeposit(options: {
  status: string
  txid: string
  block?: number
  amount?: bigint
  detected?: string
}): Promise<string> {
  // An id begins with the time of detection.
  const time = Date.parse(options.detected ?? '2024-01-15T12:00:00Z')
  const id = `dep_${time.toString(16).padStart(12, '0')}${newId('dep').slice(16)}`
  await api.database.sql`
    INSERT INTO deposits (id, merchant_id, network, coin, address_id, user_reference, txid, output_index, amount, status,
                          block_number, required_confirmations, fee, history, detected_at)
    VALUES (${id}, ${api.merchantId}, 'bitcoin', 'btc', ${address.id}, 'alice', ${options.txid}, 0,
            ${options.amount ?? 150_000_000n}, ${options.status}, ${options.block ?? null}, 3, 1000,
            ${api.database.sql.json([{ status: 'detected', at: '2024-01-15T12:00:00.000Z', cause: 'seen in the mempool' }])},
            ${options.detected ?? '2024-01-15T12:00:00Z'})`
  return id
}

test('shows a deposit with its history', async () => {
  const id = await insertDeposit({ status: 'unconfirmed', txid: 'aa'.repeat(32), block: 100 })
  const { status, json } = await get(`/deposits/${id}`)
  expect(status).toBe(200)
  expect(json.data).toMatchObject({
    id,
    status: 'unconfirmed',
    network: 'bitcoin',
    coin: 'btc',
    amount: '1.5',
    user_reference: 'alice',
    address: { id: address.id, address: address.address, network: 'bitcoin', label: 'Alice' },
    transaction_hash: 'aa'.repeat(32),
    output_index: 0,
    confirmations: 2,
    required_confirmations: 3,
    block_number: 100,
    fee: { coin: 'btc', amount: '0.00001' },
    history: [{ status: 'detected', at: '2024-01-15T12:00:00.000Z', cause: 'seen in the mempool' }],
  })
  const stranger = await api.newKey({ merchantId: await api.newMerchant() })
  expect((await api.call({ path: `/api/v1/deposits/${id}`, key: stranger })).status).toBe(404)
})

test('narrows the list of deposits by each filter', async () => {
  const id = await insertDeposit({
    status: 'success',
    txid: 'bb'.repeat(32),
    block: 50,
    detected: '2024-03-01T10:00:00Z',
  })
  const ids = async (query: string) =>
    (await get(`/deposits?${query}`)).json.data.map((each: { id: string }) => each.id)
  expect(await ids('status=success')).toEqual([id])
  expect(await ids(`transaction_hash=${'BB'.repeat(32)}`)).toEqual([id])
  expect(await ids('from_date=2024-03-01&to_date=2024-03-02')).toEqual([id])
  expect(await ids('from_date=2024-03-01T10:00:00Z&to_date=2024-03-01T12:00:00.001%2B02:00')).toEqual([id])
  expect(await ids('from_date=2024-03-01&to_date=2024-03-01T10:00:00Z')).toEqual([])
  expect(await ids('from_date=2024-03-02')).toEqual([])
  expect(await ids(`address=${address.address.toUpperCase()}&limit=1`)).toEqual([id])
  for (const none of [
    'user_reference=bob',
    'network=ethereum',
    'coin=eth',
    'payment_id=pay_1',
    'address=bcrt1q',
  ])
    expect(await ids(none), none).toEqual([])
  const wrong = await get('/deposits?status=done')
  expect([wrong.status, wrong.json.error.details.fields[0].path]).toEqual([400, 'status'])
  expect((await get('/deposits?from_date=yesterday')).status).toBe(400)
})

test('lists balances of every coin of the rails, with pending amounts', async () => {
  await insertDeposit({ status: 'detected', txid: 'cc'.repeat(32), amount: 7n })
  const { json } = await get('/balances')
  expect(json.data.map((each: { coin: string }) => each.coin).sort()).toEqual(['btc', 'eth', 'usdt'])
  const btc = json.data.find((each: { coin: string }) => each.coin === 'btc')
  expect(btc).toMatchObject({ network: 'bitcoin', available: '0', reserved: '0', blockchain: '0' })
  expect(Number(btc.pending)).toBeGreaterThan(0)
  const one = await get(`/balances?address_id=${address.id}&coin=btc`)
  expect(one.json.data).toHaveLength(1)
  expect((await get('/balances?address_id=addr_none')).status).toBe(404)
  expect((await get('/balances?as_of=2020-01-01T00:00:00Z&coin=btc')).json.data[0].pending).toBe('0')
  expect((await get('/balances?user_reference=bob&coin=btc')).json.data[0].pending).toBe('0')
})

test('lists master, hot and gas wallets with their balances', async () => {
  await api.database.sql`
    INSERT INTO addresses (id, merchant_id, network, kind, address, payee, match_key, key_account_id, branch, index, derivation_path)
    SELECT 'addr_master', merchant_id, network, 'master', 'bcrt1qmaster', ${Buffer.alloc(20)}, 0, id, 9, 0, 'm' FROM key_accounts
    WHERE merchant_id = ${api.merchantId} AND network = 'bitcoin'`
  const { json } = await get('/wallets')
  expect(json.data).toEqual([
    {
      id: 'addr_master',
      kind: 'master',
      network: 'bitcoin',
      address: 'bcrt1qmaster',
      balances: [
        { network: 'bitcoin', coin: 'btc', available: '0', reserved: '0', blockchain: '0', pending: '0' },
      ],
    },
  ])
})

test('shows coins, confirmations, health and lag of networks', async () => {
  const { json } = await get('/networks')
  const bitcoin = json.data.find((each: { network: string }) => each.network === 'bitcoin')
  expect(bitcoin).toMatchObject({
    family: 'utxo',
    confirmations: 3,
    health: 'ok',
    head_height: 103,
    scanned_height: 101,
    lag_blocks: 2,
    coins: [{ coin: 'btc', decimals: 8, confirmation_tiers: [{ from: '10', confirmations: 6 }] }],
  })
  const ethereum = json.data.find((each: { network: string }) => each.network === 'ethereum')
  expect(ethereum).toMatchObject({ health: 'starting', lag_blocks: null, chain_id: 'eip155:31337' })
  expect(JSON.stringify(json)).not.toContain('8545')
})

test('lists the audit log by pages, and verifies it', async () => {
  while ((await sealAudit(api.database.sql)) > 0);
  const { json } = await get('/audit-log?limit=1')
  expect(json.data[0]).toMatchObject({
    actor: 'system:operator',
    action: 'api_key.created',
    subject: expect.any(String),
  })
  expect(json.data[0].hash).toMatch(/^[0-9a-f]{64}$/)
  const next = await get(`/audit-log?limit=1&cursor=${json.pagination.next_cursor}`)
  expect(next.json.data[0].sequence).toBe(json.data[0].sequence - 1)
  expect(next.json.data[0].hash).toBe(json.data[0].previous_hash)
  expect((await get('/audit-log?cursor=bm9uZQ')).status).toBe(400)
  const verified = await get('/audit-log/verify')
  expect(verified.json.data).toMatchObject({
    valid: true,
    entries: json.data[0].sequence,
    head_hash: json.data[0].hash,
  })
  await api.database.sql.begin(async (tx) => {
    // An attacker with all rights in the database passes the trigger that keeps the log append-only.
    await tx`SET LOCAL session_replication_role = replica`
    await tx`UPDATE audit_log SET data = '{"forged": true}' WHERE merchant_id = ${api.merchantId} AND sequence = 1`
  })
  expect((await get('/audit-log/verify')).json.data).toMatchObject({ valid: false, broken_at: 1 })
})

test('pages wallets by cursor, newest first, each page with its balances in one query', async () => {
  const { sql } = api.database
  const merchantId = await api.newMerchant()
  await api.enrol(merchantId, Buffer.alloc(32, 9))
  const key = await api.newKey({ merchantId })
  await sql`
    INSERT INTO addresses (id, merchant_id, network, kind, address, payee, match_key, key_account_id, branch, index, derivation_path)
    SELECT 'addr_hot_' || lpad(n::text, 4, '0'), ${merchantId}, 'ethereum', 'hot', '0x' || lpad(to_hex(n), 40, '0'),
           decode(lpad(to_hex(n), 40, '0'), 'hex'), 9_000_000 + n, account.id, 0, 10_000 + n, 'm/0'
    FROM generate_series(1, 1100) AS n, (
      SELECT id FROM key_accounts WHERE merchant_id = ${merchantId} AND network = 'ethereum' LIMIT 1) AS account`
  await sql`
    INSERT INTO ledger_accounts (merchant_id, network, coin, kind, owner, balance)
    VALUES (${merchantId}, 'ethereum', 'eth', 'chain', 'addr_hot_1100', 5000000000000000000)`
  let queries = 0
  const counting = createApp({
    ...api.dependencies,
    sql: new Proxy(sql, {
      apply(target, self, args) {
        if (/FROM (ledger_accounts|deposits|addresses)/.test(String(args[0]?.join?.('')))) queries += 1
        return Reflect.apply(target, self, args)
      },
    }),
  })
  interface Listed {
    readonly data: {
      readonly id: string
      readonly kind: string
      readonly balances: { readonly coin: string; readonly available: string }[]
    }[]
    readonly pagination: { readonly has_more: boolean; readonly next_cursor: string | null }
  }
  const listed = async (query: string): Promise<Listed> => {
    const path = `/api/v1/wallets${query}`
    const headers = signedHeaders(key, { path, method: 'GET', body: '' })
    const response = await counting.request(
      `http://api.test${path}`,
      { headers },
      { incoming: { url: path } },
    )
    expect(response.status).toBe(200)
    return (await response.json()) as Listed
  }
  const first = await listed('?network=ethereum&kind=hot')
  expect(first.data).toHaveLength(20)
  expect(queries).toBe(1)
  expect(first.data[0]).toMatchObject({ id: 'addr_hot_1100', kind: 'hot' })
  expect(first.data[0]?.balances.map(({ coin, available }) => [coin, available])).toEqual([
    ['eth', '5'],
    ['usdt', '0'],
  ])
  const seen: string[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: Listed = await listed(`?limit=100${cursor === '' ? '' : `&cursor=${cursor}`}`)
    seen.push(...page.data.filter((each) => each.id.startsWith('addr_hot_')).map((each) => each.id))
    cursor = page.pagination.next_cursor
  }
  expect(seen).toEqual(
    Array.from({ length: 1100 }, (_, index) => `addr_hot_${String(1100 - index).padStart(4, '0')}`),
  )
  expect((await listed('?kind=hot&network=bitcoin')).data).toEqual([])
})
