/** Withdrawals through the API: creation, balances, lists, estimates and decisions. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { createPerson } from '../../../db/merchants/create-person.js'
import { intentHash } from '../../../domain/controls/intent.js'
import { type Stage, startStage } from '../../stage/start-stage.js'
import { testNetworks } from '../../stage/test-networks.js'

const networks = testNetworks({ ETHEREUM_ENABLED: 'true', BITCOIN_ENABLED: 'true' })
const EVM_ADDRESS = '0x742d35Cc6634C0532925a3b844Bc454e4438f44e'
const BTC_ADDRESS = 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080'
const ETH = 10n ** 18n
let stage: Stage
beforeAll(async () => {
  stage = await startStage({ networks })
  for (const owner of ['', 'alice']) {
    await stage.credit('ethereum', 'eth', owner, 5n * ETH)
    await stage.credit('ethereum', 'usdt', owner, 1_000_000_000n)
    await stage.credit('bitcoin', 'btc', owner, 100_000_000n)
  }
})
afterAll(() => stage?.close())

const eth = (fields: Record<string, unknown> = {}) => ({
  network: 'ethereum',
  coin: 'eth',
  amount: '0.01',
  to_address: EVM_ADDRESS,
  ...fields,
})
const refusal = async (body: Record<string, unknown>) => {
  const { status, json } = await stage.create(body)
  return { status, code: json.error?.code, details: json.error?.details }
}

test('answers an accepted withdrawal as documented, and writes its hold, event and audit entry', async () => {
  const before = await stage.balance('ethereum', 'usdt', 'available', 'alice')
  const { status, json } = await stage.create({
    network: 'ethereum',
    coin: 'usdt',
    amount: '100.50',
    to_address: EVM_ADDRESS.toLowerCase(),
    priority: 'normal',
    user_reference: 'alice',
    external_id: 'order-456',
    metadata: { customer_id: 'cust_789', order_id: 'order_456' },
  })
  expect(status).toBe(201)
  const { data } = json
  expect(data).toMatchObject({
    status: 'pending',
    stage: 'requested',
    network: 'ethereum',
    coin: 'usdt',
    // The metadata is as it was sent, as in the event below.
    amount: '100.50',
    fee_coin: 'eth',
    to_address: EVM_ADDRESS,
    from_address: null,
    user_reference: 'alice',
    external_id: 'order-456',
    metadata: { customer_id: 'cust_789', order_id: 'order_456' },
    approvals: [],
    required_approvals: 2,
    review: null,
    failure: null,
    transaction_hash: null,
    block_number: null,
    confirmations: 0,
    required_confirmations: 2,
    confirmed_at: null,
  })
  expect(data.id).toMatch(/^withdrawal_/)
  expect(Number(data.fee)).toBeGreaterThan(0)
  expect(Date.parse(data.estimated_confirmation_time)).toBeGreaterThan(Date.parse(data.created_at))
  expect(await stage.balance('ethereum', 'usdt', 'available', 'alice')).toBe(before + 100_500_000n)
  expect(await stage.balance('ethereum', 'usdt', 'reserved', 'alice')).toBe(-100_500_000n)
  // The fee of a token is a hold in the native coin on the merchant's own account.
  expect(await stage.balance('ethereum', 'eth', 'reserved', '')).toBe(-BigInt(Number(data.fee_limit) * 1e18))
  const { sql } = stage.api.database
  const [event] = await sql<
    { data: Record<string, unknown> }[]
  >`SELECT data FROM events WHERE subject = ${data.id}`
  expect(event?.data).toMatchObject({
    id: data.id,
    status: 'pending',
    previous_status: null,
    amount: '100.50',
  })
  const [audit] = await sql<{ action: string; actor: string }[]>`
    SELECT action, actor FROM audit_log WHERE subject = ${data.id}`
  expect(audit).toEqual({ action: 'withdrawal.requested', actor: `person:${stage.people[0].id}` })
})

test('freezes the intent, whose hash is the hash of its canonical form', async () => {
  const { json } = await stage.create(eth({ external_id: 'frozen' }))
  const read = await stage.api.call({ path: `/api/v1/withdrawals/${json.data.id}/intent` })
  expect(read.json.data.intent_hash).toBe(intentHash(read.json.data.intent))
  expect(read.json.data.intent_hash).toBe(json.data.intent_hash)
  expect(read.json.data.intent).toMatchObject({
    version: 1,
    kind: 'withdrawal',
    merchant: stage.api.merchantId,
    withdrawal: json.data.id,
    signer: stage.signer.signerId,
    external_id: 'frozen',
    network: 'eip155:31337',
    asset: { coin: 'eth', contract: null, decimals: 18 },
    outputs: [{ address: EVM_ADDRESS, amount: '10000000000000000' }],
    fee_payer: 'sender',
    initiator: stage.people[0].id,
  })
})

test('names the first fault of a request', async () => {
  const typo = EVM_ADDRESS.replace('742d', '742D')
  expect(await refusal(eth({ network: 'dogecoin' }))).toMatchObject({
    status: 422,
    code: 'UNSUPPORTED_NETWORK',
  })
  expect(await refusal(eth({ coin: 'shib' }))).toMatchObject({ status: 422, code: 'UNSUPPORTED_COIN' })
  expect(await refusal(eth({ to_address: typo }))).toEqual({
    status: 422,
    code: 'INVALID_ADDRESS',
    details: { address: typo, network: 'ethereum' },
  })
  expect(await refusal(eth({ to_address: BTC_ADDRESS }))).toMatchObject({
    status: 422,
    code: 'INVALID_ADDRESS',
  })
  expect(await refusal(eth({ amount: '0' }))).toMatchObject({ status: 422, code: 'INVALID_AMOUNT' })
  expect(await refusal(eth({ amount: '-1' }))).toMatchObject({ status: 422, code: 'INVALID_AMOUNT' })
  expect(await refusal(eth({ amount: '1e-3' }))).toMatchObject({ status: 422, code: 'INVALID_AMOUNT' })
  expect(await refusal(eth({ amount: '0.0000000000000000001' }))).toMatchObject({
    status: 422,
    code: 'INVALID_AMOUNT',
  })
  expect(await refusal(eth({ amount: 1 }))).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' })
  expect(await refusal(eth({ colour: 'red' }))).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' })
  expect(await refusal(eth({ priority: 'asap' }))).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' })
  expect(
    await refusal({ network: 'bitcoin', coin: 'btc', amount: '0.00000545', to_address: BTC_ADDRESS }),
  ).toMatchObject({ status: 422, code: 'INVALID_AMOUNT', details: { minimum: '0.00000546' } })
  expect(await refusal(eth({ coin: 'usdt', fee_payer: 'recipient' }))).toMatchObject({
    status: 400,
    code: 'VALIDATION_FAILED',
  })
  expect(await refusal(eth({ from_address_id: 'addr_unknown' }))).toMatchObject({
    status: 400,
    code: 'VALIDATION_FAILED',
  })
  const other = await stage.wallet('bitcoin', 'hot')
  expect(await refusal(eth({ from_address_id: other.id }))).toMatchObject({
    status: 400,
    code: 'VALIDATION_FAILED',
  })
})

test('refuses a withdrawal from the gas wallet', async () => {
  const gas = await stage.wallet('ethereum', 'gas')
  const { status, json } = await stage.create(eth({ from_address_id: gas.id }))
  expect(status).toBe(400)
  expect(json.error.details.fields).toMatchObject([
    { path: 'from_address_id', reason: expect.stringContaining('is a gas wallet') },
  ])
})

test('refuses more than the balance, and says how much that is', async () => {
  const { json } = await stage.create(eth({ amount: '100', user_reference: 'alice' }))
  expect(json.error.code).toBe('INSUFFICIENT_BALANCE')
  expect(json.error.details).toMatchObject({ available: '5', coin: 'eth' })
  expect(Number(json.error.details.requested)).toBeGreaterThan(100)
  expect(await refusal(eth({ user_reference: 'poor' }))).toMatchObject({
    status: 422,
    code: 'INSUFFICIENT_BALANCE',
    details: { available: '0' },
  })
  // The fee of a token is in another coin, so the whole balance can be withdrawn.
  expect(await refusal(eth({ coin: 'usdt', amount: '100000.50', user_reference: 'poor' }))).toMatchObject({
    code: 'INSUFFICIENT_BALANCE',
    details: { requested: '100000.50', available: '0', coin: 'usdt' },
  })
  // The user has the coins, but not the fee on top of all of them.
  expect(await refusal(eth({ amount: '5', user_reference: 'alice' }))).toMatchObject({
    status: 422,
    code: 'INSUFFICIENT_BALANCE',
  })
})

test("lets the merchant's own account go down to the users' funds that it holds", async () => {
  const customer = await startStage({ networks })
  await customer.credit('ethereum', 'eth', 'alice', ETH)
  const { status } = await customer.create(eth({ amount: '0.5' }))
  expect(status).toBe(201)
  const { json } = await customer.create(eth({ amount: '0.5' }))
  expect(json.error.code).toBe('INSUFFICIENT_BALANCE')
  expect(Number(json.error.details.available)).toBeLessThan(0.5)
  // A token needs the merchant's native coin for its fee.
  await customer.credit('ethereum', 'usdt', 'bob', 5_000_000n)
  await customer.close()
  const poor = await startStage({ networks })
  await poor.credit('ethereum', 'usdt', 'bob', 5_000_000n)
  const token = await poor.create(eth({ coin: 'usdt', amount: '1', user_reference: 'bob' }))
  expect(token.json.error).toMatchObject({
    code: 'INSUFFICIENT_BALANCE',
    details: { coin: 'eth', available: '0' },
  })
  await poor.close()
})

test('never holds more than the balance in many requests at once', async () => {
  const customer = await startStage({ networks })
  await customer.credit('ethereum', 'eth', '', ETH)
  await customer.credit('ethereum', 'eth', 'alice', ETH)
  const ask = (fields: Record<string, unknown>) =>
    Promise.all(Array.from({ length: 12 }, () => customer.create(eth({ amount: '0.3', ...fields }))))
  const accepted = async (answers: Promise<{ status: number }[]>) =>
    (await answers).filter((answer) => answer.status === 201).length
  // 0.3 and the fee limit each: three for a user who has 1, six for the merchant, whose floor is its users'
  // funds.
  expect(await accepted(ask({ user_reference: 'alice' }))).toBe(3)
  expect(await customer.balance('ethereum', 'eth', 'reserved', 'alice')).toBeGreaterThan(-ETH)
  expect(await customer.balance('ethereum', 'eth', 'available', 'alice')).toBeLessThan(0n)
  expect(await accepted(ask({}))).toBe(3)
  await customer.credit('ethereum', 'eth', 'bob', ETH)
  expect(await accepted(ask({}))).toBe(3)
  expect(await customer.balance('ethereum', 'eth', 'available', '')).toBeGreaterThan(0n)
  await customer.close()
})

test('refuses an external_id that any earlier withdrawal had', async () => {
  const answers = await Promise.all([1, 2, 3].map(() => stage.create(eth({ external_id: 'only-once' }))))
  expect(answers.map((answer) => answer.status).sort()).toEqual([201, 409, 409])
  const refused = answers.find((answer) => answer.status === 409)
  const made = answers.find((answer) => answer.status === 201)
  expect(refused?.json.error).toMatchObject({
    code: 'DUPLICATE_EXTERNAL_ID',
    details: { external_id: 'only-once', withdrawal_id: made?.json.data.id },
  })
})

test('makes one withdrawal for one Idempotency-Key', async () => {
  const send = () =>
    stage.api.call({
      method: 'POST',
      path: '/api/v1/withdrawals',
      body: eth({ metadata: { once: true } }),
      headers: { 'Idempotency-Key': 'withdrawal-once' },
    })
  const first = await send()
  const again = await send()
  expect(again.json).toEqual(first.json)
  expect(again.headers.get('idempotent-replayed')).toBe('true')
})

test('refuses a withdrawal without a signer or a rail', async () => {
  const { api } = stage
  const merchantId = await api.newMerchant()
  const key = await api.newKey({ merchantId })
  const ask = () => api.call({ method: 'POST', path: '/api/v1/withdrawals', body: eth(), key })
  expect((await ask()).json.error.code).toBe('NO_SIGNER')
  await api.database.sql`DELETE FROM merchant_rails WHERE merchant_id = ${merchantId} AND coin = 'eth'`
  expect((await ask()).json.error.code).toBe('RAIL_NOT_ENABLED')
})

test("does not find another merchant's withdrawal", async () => {
  const { json } = await stage.create(eth())
  const { api } = stage
  const key = await api.newKey({ merchantId: await api.newMerchant() })
  for (const path of ['', '/intent'])
    expect((await api.call({ path: `/api/v1/withdrawals/${json.data.id}${path}`, key })).status).toBe(404)
  const cancel = await api.call({ method: 'DELETE', path: `/api/v1/withdrawals/${json.data.id}`, key })
  expect(cancel.status).toBe(404)
})

test('cancels a pending withdrawal once, and releases its hold', async () => {
  const before = await stage.balance('bitcoin', 'btc', 'available', 'alice')
  const { json } = await stage.create({
    network: 'bitcoin',
    coin: 'btc',
    amount: '0.01',
    to_address: BTC_ADDRESS,
    user_reference: 'alice',
  })
  expect(await stage.balance('bitcoin', 'btc', 'available', 'alice')).toBeGreaterThan(before)
  const cancel = () => stage.api.call({ method: 'DELETE', path: `/api/v1/withdrawals/${json.data.id}` })
  const answers = await Promise.all([cancel(), cancel()])
  expect(answers.map((answer) => answer.status).sort()).toEqual([200, 409])
  expect(await stage.balance('bitcoin', 'btc', 'available', 'alice')).toBe(before)
  expect(await stage.balance('bitcoin', 'btc', 'reserved', 'alice')).toBe(0n)
  expect(await stage.read(json.data.id)).toMatchObject({ status: 'cancelled', stage: 'cancelled' })
  const events = await stage.api.database.sql<{ data: { status: string; previous_status: string | null } }[]>`
    SELECT data FROM events WHERE subject = ${json.data.id} ORDER BY position`
  expect(events.map(({ data }) => [data.previous_status, data.status])).toEqual([
    [null, 'pending'],
    ['pending', 'cancelled'],
  ])
})

test('filters lists, and keeps pages by cursor stable while rows are added', async () => {
  const all: string[] = []
  let cursor: string | null = null
  do {
    const query = cursor ? `&cursor=${cursor}` : ''
    const { json, status } = await stage.api.call({
      path: `/api/v1/withdrawals?limit=3&network=ethereum${query}`,
    })
    expect(status).toBe(200)
    all.push(...json.data.map((each: { id: string }) => each.id))
    cursor = json.pagination.next_cursor
    if (all.length === 3) await stage.create(eth())
  } while (cursor)
  expect(new Set(all).size).toBe(all.length)
  expect([...all].sort().reverse()).toEqual(all)
  const count = async (query: string) =>
    (await stage.api.call({ path: `/api/v1/withdrawals?limit=100&${query}` })).json.data.length
  expect(await count('status=cancelled')).toBe(1)
  expect(await count('coin=usdt')).toBe(1)
  expect(await count('external_id=only-once')).toBe(1)
  expect(await count('from_date=2100-01-01')).toBe(0)
  expect(await count('to_date=2000-01-01T00:00:00Z')).toBe(0)
  const { created_at: at } = await stage.read(all.at(-1) ?? '')
  const later = new Date(Date.parse(at) + 1).toISOString()
  expect(await count(`from_date=${at}&to_date=${at}`)).toBe(0)
  expect(await count(`from_date=${at}&to_date=${later}`)).toBeGreaterThan(0)
  expect(await count(`from_date=${new Date().toISOString().slice(0, 10)}`)).toBeGreaterThan(3)
})

test('estimates fee and time of every priority', async () => {
  const { sql } = stage.api.database
  const price = (gwei: bigint) => ({
    max_fee_per_gas: (gwei * 10n ** 9n).toString(),
    max_priority_fee_per_gas: '1000000000',
  })
  await sql`
    INSERT INTO network_fees (network, fees) VALUES ('ethereum', ${sql.json({
      low: price(20n),
      normal: price(21n),
      high: price(25n),
      urgent: price(31n),
    })})`
  const { status, json } = await stage.api.call({
    method: 'POST',
    path: '/api/v1/withdrawals/estimate',
    body: { network: 'ethereum', coin: 'eth', amount: '1' },
  })
  expect(status).toBe(200)
  expect(json.data.fee_coin).toBe('eth')
  const levels = json.data.estimates.map((each: Record<string, string>) => [
    each.priority,
    each.fee_multiplier,
    each.confirmation_time,
  ])
  expect(levels).toEqual([
    ['low', '0.8', '30-60 minutes'],
    ['normal', '1.0', '10-30 minutes'],
    ['high', '1.5', '5-15 minutes'],
    ['urgent', '2.0', '1-10 minutes'],
  ])
  // 21,000 gas at a base fee of 10 gwei and a tip of 1.
  expect(json.data.estimates[1].fee).toBe('0.000231')
  expect(json.data.estimates[1].fee_limit).toBe('0.001155')
})

test('names the first fault of a decision, and stores and audits a valid one', async () => {
  const { api, people } = stage
  const { sql } = api.database
  const [initiator, first, second] = people
  const { json } = await stage.create(eth({ external_id: 'to-decide' }))
  const { id } = json.data
  const code = async (answer: ReturnType<typeof stage.decide>) => {
    const { status, json } = await answer
    return [status, json.error?.code]
  }
  // A key without a person, and a person without an approver's key.
  const machine = { ...first, key: api.key }
  expect(await code(stage.decide(id, machine))).toEqual([403, 'NOT_AN_APPROVER'])
  const clerk = await createPerson(sql, { merchantId: api.merchantId, name: 'clerk' })
  const clerkKey = await api.newKey({ personId: clerk })
  expect(await code(stage.decide(id, { ...first, key: clerkKey }))).toEqual([403, 'NOT_AN_APPROVER'])
  const noScope = await api.newKey({ personId: first.id, scopes: ['read', 'withdrawals'] })
  expect(await code(stage.decide(id, { ...first, key: noScope }))).toEqual([403, 'INSUFFICIENT_SCOPE'])
  expect(await code(stage.decide('withdrawal_unknown', first))).toEqual([404, 'NOT_FOUND'])
  expect(await code(stage.decide(id, initiator))).toEqual([403, 'INITIATOR_CANNOT_APPROVE'])
  expect(await code(stage.decide(id, first, 'approve', { intent_hash: 'a'.repeat(64) }))).toEqual([
    409,
    'INTENT_HASH_MISMATCH',
  ])
  const soon = new Date(Date.now() + 600_000).toISOString()
  expect(await code(stage.decide(id, first, 'approve', { signed_at: soon }))).toEqual([
    400,
    'VALIDATION_FAILED',
  ])
  const old = new Date(Date.now() - 3_600_000).toISOString()
  expect(await code(stage.decide(id, first, 'approve', { signed_at: old }))).toEqual([
    400,
    'VALIDATION_FAILED',
  ])
  // The signature of another person; of another decision; of another approver id.
  expect(await code(stage.decide(id, { ...first, privateKey: second.privateKey }))).toEqual([
    422,
    'INVALID_APPROVAL_SIGNATURE',
  ])
  expect(await code(stage.decide(id, { ...first, approverId: second.approverId }))).toEqual([
    422,
    'INVALID_APPROVAL_SIGNATURE',
  ])
  expect(
    await code(stage.decide(id, first, 'approve', { signature: Buffer.alloc(64).toString('base64') })),
  ).toEqual([422, 'INVALID_APPROVAL_SIGNATURE'])
  expect((await stage.read(id)).approvals).toEqual([])

  const stored = await stage.decide(id, first)
  expect(stored.status).toBe(201)
  expect(await code(stage.decide(id, first))).toEqual([409, 'ALREADY_DECIDED'])
  expect(await code(stage.decide(id, first, 'reject'))).toEqual([409, 'ALREADY_DECIDED'])
  expect((await stage.read(id)).approvals).toMatchObject([
    { person_id: first.id, approver_id: first.approverId, decision: 'approve' },
  ])
  const [audit] =
    await sql`SELECT actor FROM audit_log WHERE subject = ${id} AND action = 'withdrawal.approval_given'`
  expect(audit).toEqual({ actor: `person:${first.id}` })
  expect((await stage.decide(id, second)).status).toBe(201)

  await sql`UPDATE approvers SET revoked_at = now() WHERE id = ${second.approverId}`
  const next = await stage.create(eth())
  expect(await code(stage.decide(next.json.data.id, second))).toEqual([403, 'NOT_AN_APPROVER'])
  await sql`UPDATE approvers SET revoked_at = NULL WHERE id = ${second.approverId}`
})

test('refuses decisions after a rejection or a cancellation', async () => {
  const [, first, second] = stage.people
  const rejected = (await stage.create(eth())).json.data.id
  expect((await stage.decide(rejected, first, 'reject')).status).toBe(201)
  expect((await stage.decide(rejected, second)).json.error.code).toBe('ALREADY_DECIDED')
  const cancelled = (await stage.create(eth())).json.data.id
  await stage.api.call({ method: 'DELETE', path: `/api/v1/withdrawals/${cancelled}` })
  expect((await stage.decide(cancelled, first)).json.error.code).toBe('ALREADY_DECIDED')
})

test('counts a person once who signs with two keys', async () => {
  const [, first] = stage.people
  const { generateKeyPairSync } = await import('node:crypto')
  const { createApprover } = await import('../../../db/merchants/create-approver.js')
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const approverId = await createApprover(stage.api.database.sql, {
    merchantId: stage.api.merchantId,
    personId: first.id,
    ed25519PublicKey: publicKey.export({ format: 'der', type: 'spki' }).subarray(-32),
  })
  const { id } = (await stage.create(eth())).json.data
  expect((await stage.decide(id, { ...first, approverId, privateKey })).status).toBe(201)
  expect((await stage.decide(id, first)).json.error.code).toBe('ALREADY_DECIDED')
})

test('refuses an estimate for a wallet of another merchant', async () => {
  const estimate = (from_address_id: string) =>
    stage.api.call({
      method: 'POST',
      path: '/api/v1/withdrawals/estimate',
      body: { network: 'ethereum', coin: 'eth', amount: '1', from_address_id },
    })
  const { status, json } = await estimate('addr_of_nobody')
  expect([status, json.error?.code]).toEqual([400, 'VALIDATION_FAILED'])
  expect(json.error.details.fields).toMatchObject([{ path: 'from_address_id' }])
  expect((await estimate((await stage.wallet('ethereum', 'hot')).id)).status).toBe(200)
})
