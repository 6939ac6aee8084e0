/** Batches: their request, approvals, cancellation and lists. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { replaceSanctions } from '../../../db/controls/sanctions/replace-sanctions.js'
import { advanceBatch } from '../../../db/payouts/batches/advance-batch.js'
import { intentHash } from '../../../domain/controls/intent.js'
import { parseAmount } from '../../../domain/money.js'
import { type Stage, startStage } from '../../stage/start-stage.js'
import { testNetworks } from '../../stage/test-networks.js'

const networks = testNetworks({ ETHEREUM_ENABLED: 'true', BITCOIN_ENABLED: 'true' })
const BTC_ADDRESS = 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080'
const ETH = 10n ** 18n
let stage: Stage
beforeAll(async () => {
  stage = await startStage({ networks, environment: { KEYTURN_BATCH_OUTPUTS: '4' } })
  for (const owner of ['', 'alice']) {
    await stage.credit('ethereum', 'eth', owner, 100n * ETH)
    await stage.credit('ethereum', 'usdt', owner, 5_000_000_000n)
    await stage.credit('bitcoin', 'btc', owner, 1_000_000_000n)
  }
})
afterAll(() => stage?.close())

/** Returns a fresh address for each number. */
const address = (number: number) => `0x${(0xaaaa_0000_0000n + BigInt(number)).toString(16).padStart(40, '2')}`
const outputsOf = (count: number, amount = '1.50') =>
  Array.from({ length: count }, (_, index) => ({ to_address: address(index), amount }))
const batch = (
  outputs: unknown[],
  fields: Record<string, unknown> = {},
  order: Record<string, unknown> = {},
) => ({ batch_withdrawal: { network: 'ethereum', coin: 'usdt', outputs, ...fields }, ...order })
const ask = async (body: Record<string, unknown>) => {
  const { status, json } = await stage.createBatch(body)
  if (status !== 201) throw new Error(JSON.stringify(json))
  return json.data
}
const refusal = async (body: Record<string, unknown>) => {
  const { status, json } = await stage.createBatch(body)
  return { status, code: json.error?.code, details: json.error?.details }
}
const advance = (id: string, at = new Date()) => advanceBatch(stage.api.database.sql, networks, id, at)
const held = async (owner = '') => [
  await stage.balance('ethereum', 'usdt', 'reserved', owner),
  await stage.balance('ethereum', 'eth', 'reserved', ''),
]
const eventsOf = async (id: string) =>
  (
    await stage.api.database.sql<{ data: Record<string, unknown> }[]>`
      SELECT data FROM events WHERE subject = ${id} AND type = 'batch.status_changed' ORDER BY position`
  ).map(({ data }) => data)

test('answers an accepted batch item by item as it was sent, holds it, and appends event and audit entry', async () => {
  const [tokens, fees] = await held('alice')
  const outputs = [
    ...outputsOf(2, '50.00'),
    { to_address: address(0).toUpperCase().replace('X', 'x'), amount: '75.25' },
  ]
  const data = await ask(
    batch(outputs, { priority: 'high' }, { user_reference: 'alice', external_id: 'run-1' }),
  )
  expect(data).toMatchObject({
    status: 'pending',
    stage: 'requested',
    network: 'ethereum',
    coin: 'usdt',
    amount: '175.25',
    item_count: 3,
    counts: { pending: 3, confirmed: 0 },
    fee_coin: 'eth',
    priority: 'high',
    user_reference: 'alice',
    external_id: 'run-1',
    required_approvals: 2,
    approvals: [],
    failure: null,
  })
  // Two rows to the same address stay two rows.
  expect(data.items.map((item: Record<string, unknown>) => [item.index, item.amount, item.status])).toEqual([
    [0, '50.00', 'pending'],
    [1, '50.00', 'pending'],
    [2, '75.25', 'pending'],
  ])
  expect(data.items[0].to_address).toBe(data.items[2].to_address)
  expect(data.items[0].id).not.toBe(data.items[2].id)
  const { json } = await stage.api.call({ path: `/api/v1/batches/${data.id}/intent` })
  const { intent, intent_hash } = json.data
  expect(intentHash(intent)).toBe(intent_hash)
  expect(intent).toMatchObject({
    kind: 'batch',
    withdrawal: data.id,
    outputs: [{ amount: '50000000' }, { amount: '50000000' }, { amount: '75250000' }],
    fee_payer: 'sender',
    fee_limit: { coin: 'eth', amount: parseAmount(data.fee_limit, 18).toString() },
  })
  expect(await held('alice')).toEqual([
    (tokens ?? 0n) - 175_250_000n,
    (fees ?? 0n) - parseAmount(data.fee_limit, 18),
  ])
  expect(await eventsOf(data.id)).toMatchObject([
    {
      id: data.id,
      status: 'pending',
      previous_status: null,
      item_count: 3,
      counts: { pending: 3 },
      items: [],
    },
  ])
  const { sql } = stage.api.database
  const [audit] = await sql`SELECT action, actor FROM audit_log WHERE subject = ${data.id}`
  expect(audit).toEqual({ action: 'batch.requested', actor: `person:${stage.people[0].id}` })
  // Its transactions are no withdrawals of the merchant.
  const parts = await sql<{ id: string }[]>`SELECT id FROM payouts WHERE batch_id = ${data.id}`
  expect(parts).toHaveLength(3)
  for (const { id } of parts) {
    for (const [method, path] of [
      ['GET', `/api/v1/withdrawals/${id}`],
      ['DELETE', `/api/v1/withdrawals/${id}`],
      ['GET', `/api/v1/withdrawals/${id}/intent`],
    ] as const) {
      expect((await stage.api.call({ method, path })).status).toBe(404)
    }
  }
  expect((await stage.api.call({ path: '/api/v1/withdrawals' })).json.data).toEqual([])
})

test('refuses the whole batch for bad outputs, and names each with its index', async () => {
  const before = await held()
  const [good] = outputsOf(1)
  const bad = await refusal(
    batch([
      good,
      { to_address: '0x123', amount: '1' },
      good,
      { to_address: address(7), amount: '1.0000001' },
      { to_address: address(8), amount: '0' },
      { to_address: BTC_ADDRESS, amount: '1' },
    ]),
  )
  expect(bad).toMatchObject({ status: 422, code: 'INVALID_ADDRESS' })
  expect(bad.details.outputs.map((each: Record<string, unknown>) => [each.index, each.code])).toEqual([
    [1, 'INVALID_ADDRESS'],
    [3, 'INVALID_AMOUNT'],
    [4, 'INVALID_AMOUNT'],
    [5, 'INVALID_ADDRESS'],
  ])
  // A UTXO network does not relay dust.
  const dust = await refusal(
    batch([{ to_address: BTC_ADDRESS, amount: '0.00000545' }], { network: 'bitcoin', coin: 'btc' }),
  )
  expect(dust).toMatchObject({ code: 'INVALID_AMOUNT', details: { outputs: [{ index: 0 }] } })
  expect(await refusal(batch([]))).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' })
  expect(await refusal(batch(outputsOf(1_001)))).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' })
  expect(await refusal(batch([{ ...good, memo: 'x' }]))).toMatchObject({ status: 400 })
  expect(await refusal(batch(outputsOf(1), { coin: 'doge' }))).toMatchObject({ code: 'UNSUPPORTED_COIN' })
  expect(await held()).toEqual(before)
})

test('holds or refuses a batch as a whole: for one unit too much it holds nothing', async () => {
  const before = await held('alice')
  const available = -(await stage.balance('ethereum', 'usdt', 'available', 'alice'))
  const most = `${available / 1_000_000n}.${(available % 1_000_000n).toString().padStart(6, '0')}`
  expect(
    await refusal(
      batch(
        [{ to_address: address(1), amount: most }, ...outputsOf(1, '0.000001')],
        {},
        { user_reference: 'alice' },
      ),
    ),
  ).toMatchObject({ status: 422, code: 'INSUFFICIENT_BALANCE', details: { coin: 'usdt' } })
  expect(await held('alice')).toEqual(before)
})

test('accepts an external id once, and names the batch that used it', async () => {
  const first = await ask(batch(outputsOf(1), {}, { external_id: 'once' }))
  expect(await refusal(batch(outputsOf(1), {}, { external_id: 'once' }))).toMatchObject({
    status: 409,
    code: 'DUPLICATE_EXTERNAL_ID',
    details: { external_id: 'once', batch_id: first.id },
  })
})

test('makes one batch of concurrent and repeated requests with the same key', async () => {
  const [tokens] = await held()
  const send = () =>
    stage.api.call({
      method: 'POST',
      path: '/api/v1/withdrawals/batch',
      body: batch(outputsOf(3, '2')),
      headers: { 'Idempotency-Key': 'batch-key' },
    })
  const answers = await Promise.all(Array.from({ length: 8 }, send))
  const made = answers.filter((each) => each.status === 201)
  expect(new Set(made.map((each) => each.json.data.id)).size).toBe(1)
  for (const other of answers.filter((each) => each.status !== 201)) {
    expect(other.json.error.code).toBe('REQUEST_IN_PROGRESS')
  }
  const again = await send()
  expect(again.headers.get('idempotent-replayed')).toBe('true')
  expect(again.json.data.items).toHaveLength(3)
  expect((await held())[0]).toBe((tokens ?? 0n) - 6_000_000n)
})

test('makes a thousand items a thousand transactions on EVM, and as few as fit on UTXO', async () => {
  const { sql } = stage.api.database
  const large = await ask(batch(outputsOf(1_000, '0.01')))
  expect(large.items).toHaveLength(1_000)
  expect(large.items[999]).toMatchObject({ index: 999, amount: '0.01', status: 'pending' })
  const [parts] = await sql<{ parts: number; held: bigint; fees: bigint; outputs: number }[]>`
    SELECT count(*)::int AS parts, sum(amount)::numeric AS held, sum(fee_limit)::numeric AS fees,
           sum(jsonb_array_length(outputs))::int AS outputs
    FROM payouts WHERE batch_id = ${large.id}`
  expect(parts).toEqual({
    parts: 1_000,
    held: 10_000_000n,
    fees: parseAmount(large.fee_limit, 18),
    outputs: 1_000,
  })
  await stage.api.call({ method: 'DELETE', path: `/api/v1/batches/${large.id}` })

  const outputs = Array.from({ length: 10 }, () => ({ to_address: BTC_ADDRESS, amount: '0.001' }))
  const bitcoin = await ask(batch(outputs, { network: 'bitcoin', coin: 'btc' }))
  const split = await sql<{ outputs: { index: number }[] }[]>`
    SELECT outputs FROM payouts WHERE batch_id = ${bitcoin.id} ORDER BY id`
  expect(split.map((part) => part.outputs.map((output) => output.index))).toEqual([
    [0, 1, 2, 3],
    [4, 5, 6, 7],
    [8, 9],
  ])
}, 60_000)

test('approves all of a batch at two approvals, and ends all of it at one rejection', async () => {
  const before = await held()
  const approved = await ask(batch(outputsOf(3)))
  const [initiator, first, second] = stage.people
  expect((await stage.decide(approved.id, initiator)).json.error.code).toBe('INITIATOR_CANNOT_APPROVE')
  await stage.decide(approved.id, first)
  expect(await advance(approved.id)).toMatchObject({ stage: 'pending_approval', approvals: 1, required: 2 })
  await stage.decide(approved.id, second)
  expect(await advance(approved.id)).toMatchObject({
    stage: 'approved',
    status: 'processing',
    counts: { processing: 3 },
    unstarted: 3,
  })
  expect((await stage.readBatch(approved.id)).approvals).toHaveLength(2)
  const cancel = await stage.api.call({ method: 'DELETE', path: `/api/v1/batches/${approved.id}` })
  expect([cancel.status, cancel.json.error.code]).toEqual([409, 'WITHDRAWAL_NOT_CANCELLABLE'])
  expect((await eventsOf(approved.id)).map((data) => [data.previous_status, data.status])).toEqual([
    [null, 'pending'],
    ['pending', 'processing'],
  ])

  const middle = await held()
  const rejected = await ask(batch(outputsOf(3)))
  await stage.decide(rejected.id, first)
  await stage.decide(rejected.id, second, 'reject', { reason: 'not this month' })
  expect(await advance(rejected.id)).toMatchObject({ stage: 'rejected', status: 'failed' })
  const view = await stage.readBatch(rejected.id)
  expect(view.failure).toEqual({ code: 'REJECTED', message: 'Rejected by an approver: not this month' })
  expect(view.items.map((item) => [item.status, item.failure?.code])).toEqual(
    Array.from({ length: 3 }, () => ['failed', 'REJECTED']),
  )
  expect(await held()).toEqual(middle)
  expect(middle[0]).toBe((before[0] ?? 0n) - 4_500_000n)
})

test('releases everything once when a batch is cancelled or not approved in time', async () => {
  const before = await held()
  const cancelled = await ask(batch(outputsOf(2)))
  const answer = await stage.api.call({ method: 'DELETE', path: `/api/v1/batches/${cancelled.id}` })
  expect(answer.json.data).toMatchObject({ status: 'cancelled', counts: { cancelled: 2 } })
  expect((await stage.api.call({ method: 'DELETE', path: `/api/v1/batches/${cancelled.id}` })).status).toBe(
    409,
  )
  const [, first] = stage.people
  expect((await stage.decide(cancelled.id, first)).json.error.code).toBe('ALREADY_DECIDED')
  const expired = await ask(batch(outputsOf(2)))
  const late = new Date(Date.parse(expired.expires_at))
  expect(await advance(expired.id, new Date(late.getTime() - 1))).toMatchObject({ stage: 'pending_approval' })
  expect(await advance(expired.id, late)).toMatchObject({ stage: 'expired', status: 'failed' })
  expect(await advance(expired.id, late)).toMatchObject({ stage: 'expired' })
  expect(await held()).toEqual(before)
})

test('holds the whole batch for a review of a sanctioned recipient', async () => {
  const { sql } = stage.api.database
  await replaceSanctions(sql, address(501))
  try {
    const outputs = [...outputsOf(2), { to_address: address(501), amount: '1' }]
    const data = await ask(batch(outputs))
    expect(data.risk).toMatchObject({ sanctioned: true, score: 100 })
    expect(data.review).toEqual({ required: true })
    await stage.approve(data.id)
    expect(await advance(data.id)).toMatchObject({ stage: 'pending_review' })
    const review = (key: (typeof stage.people)[number]['key'], decision: string) =>
      stage.api.call({
        method: 'POST',
        path: `/api/v1/batches/${data.id}/review`,
        key,
        body: { decision, reason: 'known to us' },
      })
    expect((await review(stage.people[0].key, 'approve')).json.error.code).toBe('INITIATOR_CANNOT_APPROVE')
    expect((await review(stage.people[1].key, 'approve')).json.data.stage).toBe('pending_approval')
    expect((await review(stage.people[1].key, 'approve')).json.error.code).toBe('ALREADY_DECIDED')
    expect(await advance(data.id)).toMatchObject({ stage: 'approved' })
  } finally {
    await replaceSanctions(sql, '')
  }
})

test('lists batches without their items, and only the merchant’s own', async () => {
  const data = await ask(batch(outputsOf(2), {}, { external_id: 'listed' }))
  const { json } = await stage.api.call({ path: '/api/v1/batches?external_id=listed' })
  expect(json.data).toHaveLength(1)
  expect(json.data[0]).toMatchObject({ id: data.id, item_count: 2, status: 'pending' })
  expect(json.data[0].items).toBeUndefined()
  expect((await stage.api.call({ path: '/api/v1/batches?status=confirmed' })).json.data).toEqual([])
  const page = await stage.api.call({ path: '/api/v1/batches?limit=1' })
  expect(page.json.pagination).toMatchObject({ has_more: true })
  const other = await stage.api.newKey({ merchantId: await stage.api.newMerchant() })
  for (const path of ['', '/intent', '/parts'].map((end) => `/api/v1/batches/${data.id}${end}`)) {
    expect((await stage.api.call({ path, key: other })).status).toBe(404)
  }
  expect((await stage.api.call({ path: `/api/v1/batches/${data.id}/parts` })).status).toBe(200)
  expect((await stage.api.call({ path: '/api/v1/batches', key: other })).json.data).toEqual([])
})
