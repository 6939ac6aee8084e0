/** Runs of the reconciliation through the API. */

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { postJournal } from '../../../db/books/ledger/post-journal.js'
import { INTERNAL_CHECKS } from '../../../domain/books/difference.js'
import { finishRun } from '../../stage/reconcile.js'
import { type ApiKeyPair, startTestApi, type TestApi } from '../../stage/test-api.js'

let api: TestApi
let merchantId: string
let key: ApiKeyPair

beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api?.database.drop())
beforeEach(async () => {
  merchantId = await api.newMerchant()
  key = await api.newKey({ merchantId })
})

const start = (body: object = {}, by = key) =>
  api.call({ method: 'POST', path: '/api/v1/reconciliation/runs', body, key: by })
const get = (path: string, by = key) => api.call({ path: `/api/v1${path}`, key: by })
const finish = (id: string) => finishRun(api.database.sql, api.dependencies.networks, id)

/** Makes balances that differ from their entries. */
async function tamper(accounts: number): Promise<void> {
  const { sql } = api.database
  for (let each = 0; each < accounts; each++) {
    const asset = { network: 'bitcoin', coin: 'btc' }
    await postJournal(sql, {
      merchantId,
      idempotencyKey: `fund-${each}`,
      type: 'test.credited',
      reference: 'fund',
      entries: [
        { ...asset, kind: 'chain', owner: 'a', amount: 5n },
        { ...asset, kind: 'available', owner: `user-${String(each).padStart(3, '0')}`, amount: -5n },
      ],
    })
  }
  await sql.begin(async (tx) => {
    await tx`SET LOCAL session_replication_role = 'replica'`
    await tx`UPDATE ledger_accounts SET balance = balance - 1 WHERE merchant_id = ${merchantId} AND kind = 'available'`
  })
}

test('starts a run, shows its progress and ends it', async () => {
  const { status, json } = await start()
  expect(status).toBe(201)
  expect(json.data).toMatchObject({ status: 'running', cause: 'request', progress: 0, checks: [] })
  await finish(json.data.id)
  const done = await get(`/reconciliation/runs/${json.data.id}`)
  expect(done.json.data).toMatchObject({ status: 'clean', progress: 1, failure: null })
  expect(done.json.data.checks.every((check: { ok: boolean }) => check.ok)).toBe(true)
  const listed = await get('/reconciliation/runs')
  expect(listed.json.data.map((run: { id: string }) => run.id)).toEqual([json.data.id])
})

test('shows the first differences of a check and pages all of them', async () => {
  await tamper(150)
  const { json } = await start({ scope: ['internal'] })
  await finish(json.data.id)
  const run = (await get(`/reconciliation/runs/${json.data.id}`)).json.data
  expect(run.status).toBe('differences')
  const check = run.checks.find((each: { name: string }) => each.name === 'balances')
  expect(check).toMatchObject({ ok: false, differences_count: 150 })
  expect(check.differences).toHaveLength(100)
  expect(check.differences[0]).toMatchObject({
    subject: { type: 'account', id: 'available:user-000' },
    account: 'available:user-000',
    network: 'bitcoin',
    coin: 'btc',
    expected: '-0.00000005',
    actual: '-0.00000006',
  })
  const path = `/reconciliation/runs/${run.id}/differences?check=balances&limit=100`
  const first = await get(path)
  expect(first.json.data).toHaveLength(100)
  const rest = await get(`${path}&cursor=${first.json.pagination.next_cursor}`)
  expect(rest.json.data.map((each: { number: number }) => each.number)).toEqual(
    Array.from({ length: 50 }, (_, at) => 101 + at),
  )
  expect((await get(`${path}&cursor=bm90LWEtbnVtYmVy`)).status).toBe(200)
})

test('leaves out what concerns other networks than those of the run', async () => {
  await tamper(1)
  const { json } = await start({ scope: ['orders', 'internal'], networks: ['ethereum'] })
  await finish(json.data.id)
  expect((await get(`/reconciliation/runs/${json.data.id}`)).json.data.status).toBe('clean')
})

describe('fails, and is not clean, without a comparison of', () => {
  const failed = { status: 'failed', failure: { code: 'NETWORK_NOT_COMPARED' }, blocks: [] }

  test('a network that was asked for and has no keys', async () => {
    const { json } = await start({ scope: ['chain'], networks: ['ethereum'] })
    await finish(json.data.id)
    expect((await get(`/reconciliation/runs/${json.data.id}`)).json.data).toMatchObject(failed)
  })

  test('a network that holds money and has left the configuration', async () => {
    const entry = { network: 'bitcoin', coin: 'btc' }
    await postJournal(api.database.sql, {
      merchantId,
      idempotencyKey: 'held',
      type: 'test.credited',
      reference: 'held',
      entries: [
        { ...entry, kind: 'chain', owner: 'a', amount: 5n },
        { ...entry, kind: 'available', owner: 'user', amount: -5n },
      ],
    })
    const { json } = await start({ scope: ['chain'] })
    const left = new Map([...api.dependencies.networks].filter(([name]) => name !== 'bitcoin'))
    await finishRun(api.database.sql, left, json.data.id)
    expect((await get(`/reconciliation/runs/${json.data.id}`)).json.data).toMatchObject(failed)
  })
})

test('needs exactly one network for a height', async () => {
  for (const body of [{ at_block: 5 }, { at_block: 5, networks: ['bitcoin', 'ethereum'] }]) {
    const { status, json } = await start(body)
    expect({ status, code: json.error?.code }).toEqual({ status: 400, code: 'VALIDATION_FAILED' })
  }
  expect((await start({ networks: ['nowhere'] })).json.error.code).toBe('UNSUPPORTED_NETWORK')
  expect((await start({ scope: [] })).status).toBe(400)
})

test('refuses a height below the first block that the books know', async () => {
  const { sql } = api.database
  await sql`
    INSERT INTO chain_blocks (network, height, hash, parent_hash, time)
    VALUES ('bitcoin', 500, 'block', 'parent', now())`
  const { status, json } = await start({ scope: ['chain'], networks: ['bitcoin'], at_block: 499 })
  expect({ status, code: json.error?.code, details: json.error?.details }).toEqual({
    status: 422,
    code: 'BLOCK_NOT_SCANNED',
    details: { network: 'bitcoin', at_block: 499, first_height: 500 },
  })
  expect((await start({ scope: ['chain'], networks: ['bitcoin'], at_block: 500 })).status).toBe(201)
  await sql`DELETE FROM chain_blocks WHERE network = 'bitcoin' AND height = 500`
})

test('hides the runs of other merchants', async () => {
  const { json } = await start()
  const stranger = await api.newKey({ merchantId: await api.newMerchant() })
  for (const path of ['', '/differences?check=balances']) {
    expect((await get(`/reconciliation/runs/${json.data.id}${path}`, stranger)).status).toBe(404)
  }
  expect((await get('/reconciliation/runs', stranger)).json.data).toEqual([])
})

test('refuses keys without the scope, and more open runs than allowed', async () => {
  const reader = await api.newKey({ merchantId, scopes: ['read'] })
  expect((await start({}, reader)).json.error.code).toBe('INSUFFICIENT_SCOPE')
  for (let each = 0; each < 5; each++) expect((await start()).status).toBe(201)
  expect((await start()).json.error.code).toBe('RATE_LIMITED')
})

test('fails where a chain cannot be compared, and shows the other checks all the same', async () => {
  await api.enrol(merchantId)
  const { json } = await start()
  await finish(json.data.id)
  const run = (await get(`/reconciliation/runs/${json.data.id}`)).json.data
  expect(run).toMatchObject({ status: 'failed', failure: { code: 'BLOCK_NOT_SCANNED' }, blocks: [] })
  const names = run.checks.map((check: { name: string }) => check.name)
  expect(names).toEqual(['orders', 'lifecycle', ...INTERNAL_CHECKS])
})

test('makes the runs of a merchant in turn, and no check twice', async () => {
  const first = (await start()).json.data.id
  const second = (await start()).json.data.id
  await expect(finish(second)).rejects.toThrow('busy')
  await finish(first)
  await finish(second)
  await expect(finish(second)).rejects.toThrow('ended')
})
