/** The exception queue over HTTP: lists, disputes, decisions of one person, and resolutions by two. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { closeCause } from '../../../db/books/exceptions/close-cause.js'
import { closeGoneCauses } from '../../../db/books/exceptions/close-gone-causes.js'
import { type NewException, raiseException } from '../../../db/books/exceptions/raise-exception.js'
import { postJournal } from '../../../db/books/ledger/post-journal.js'
import { rememberCoins } from '../../../db/chain/remember-coins.js'
import { inTransaction } from '../../../db/connect.js'
import { advanceControlChange } from '../../../db/controls/changes/advance-control-change.js'
import { createApprover } from '../../../db/merchants/create-approver.js'
import { createPerson } from '../../../db/merchants/create-person.js'
import { createOperatorKey } from '../../../db/merchants/operator.js'
import { newId } from '../../../db/new-id.js'
import { movePayout } from '../../../db/payouts/move-payout.js'
import { lockWithdrawal } from '../../../db/payouts/payout-row.js'
import { reopenWithdrawals } from '../../../db/payouts/reopen-withdrawals.js'
import { releaseJournal } from '../../../db/payouts/withdrawal-journals.js'
import type { Network } from '../../../domain/chain/network.js'
import { sendDecision } from '../../stage/people.js'
import { type Stage, startStage } from '../../stage/start-stage.js'
import { type Answer, type ApiKeyPair, MASTER_KEY } from '../../stage/test-api.js'
import { testNetworks } from '../../stage/test-networks.js'
import { uncausedJournals } from '../../stage/uncaused-journals.js'

const TO = '0x742d35Cc6634C0532925a3b844Bc454e4438f44e'
const ETHER = 10n ** 18n
const networks = testNetworks({ ETHEREUM_ENABLED: 'true' })
let stage: Stage
let stranger: ApiKeyPair
let users = 0

beforeAll(async () => {
  stage = await startStage({ networks })
  await rememberCoins(stage.api.database.sql, networks)
  stranger = await stage.api.newKey({ merchantId: await stage.api.newMerchant() })
})
afterAll(() => stage?.close())

const sql = () => stage.api.database.sql
const get = (path: string, key?: ApiKeyPair) =>
  stage.api.call({ path: `/api/v1${path}`, ...(key ? { key } : {}) })
const post = (path: string, body: unknown, key = stage.people[0].key, headers = {}): Promise<Answer> =>
  stage.api.call({ method: 'POST', path: `/api/v1${path}`, body, key, headers })
const raise = async (change: Partial<NewException> = {}) => {
  const subject = change.subject ?? { type: 'address', id: newId('addr') }
  const id = await inTransaction(sql(), (tx) =>
    raiseException(tx, {
      merchantId: stage.api.merchantId,
      kind: 'drift',
      cause: `test:${subject.id}`,
      reason: 'The books have more than the chain',
      expected: '2',
      actual: '1',
      ...change,
      subject,
    }),
  )
  if (id === null) throw new Error('was raised before')
  return id
}
const user = () => `user-${++users}`
/** Makes a user who has an address. */
const customer = async () => {
  const who = user()
  await post('/addresses', { user_reference: who, network: 'ethereum' })
  return who
}
const read = async (id: string) => (await get(`/exceptions/${id}`)).json.data
const code = async (answer: Promise<Answer>) => {
  const { status, json } = await answer
  return [status, json.error?.code]
}
const funds = async (owner: string) => {
  const read = async (kind: string) => -(await stage.balance('ethereum', 'eth', kind, owner))
  return { available: await read('available'), reserved: await read('reserved') }
}
const audited = async (id: string) =>
  (
    await sql()<{ action: string }[]>`
    SELECT action FROM audit_log WHERE subject = ${id} ORDER BY position`
  ).map((row) => row.action)

/** Stores a credited deposit of whole ether, with its journal. */
async function deposit(owner: string, whole: bigint): Promise<string> {
  const { merchantId } = stage.api
  const { json } = await post('/addresses', { user_reference: owner, network: 'ethereum' })
  const id = newId('dep')
  await sql()`
    INSERT INTO deposits (id, merchant_id, network, coin, address_id, user_reference, txid, output_index, amount, status,
                          required_confirmations, history, detected_at, credited_at)
    VALUES (${id}, ${merchantId}, 'ethereum', 'eth', ${json.data.id}, ${owner}, ${newId('tx')}, 0,
            ${(whole * ETHER).toString()}, 'success', 3, '[]', now(), now())`
  await postJournal(sql(), {
    merchantId,
    idempotencyKey: id,
    type: 'deposit.success',
    reference: id,
    entries: [
      { network: 'ethereum', coin: 'eth', kind: 'chain', owner: json.data.id, amount: whole * ETHER },
      { network: 'ethereum', coin: 'eth', kind: 'available', owner, amount: -whole * ETHER },
    ],
  })
  return id
}

test('shows an exception with all of its fields, and to its merchant alone', async () => {
  const id = await raise({ userReference: 'carol', evidence: { block_number: 7 }, detail: 'balance.fell' })
  const { status, json } = await get(`/exceptions/${id}`)
  expect(status).toBe(200)
  expect(json.data).toMatchObject({
    id,
    kind: 'drift',
    detail: 'balance.fell',
    status: 'open',
    severity: 'critical',
    reason: 'The books have more than the chain',
    payment_id: null,
    user_reference: 'carol',
    expected: '2',
    actual: '1',
    owner: null,
    overdue: false,
    evidence: { block_number: 7 },
    comments: [],
    resolution: null,
    root_cause: null,
    holds: [],
    approval: null,
    history: [{ status: 'open' }],
    payment_history: [],
    webhook_deliveries: [],
  })
  expect(json.data.age_seconds).toBeGreaterThanOrEqual(0)
  expect(Date.parse(json.data.due_at) - Date.parse(json.data.created_at)).toBe(2 * 3_600_000)
  expect(await code(get(`/exceptions/${id}`, stranger))).toEqual([404, 'NOT_FOUND'])
  for (const [path, body] of [
    ['assign', { owner: stage.people[0].id }],
    ['comments', { text: 'mine' }],
    ['resolve', { resolution: 'none', comment: 'gone' }],
  ] as const) {
    expect(await code(post(`/exceptions/${id}/${path}`, body, stranger)), path).toEqual([404, 'NOT_FOUND'])
  }
  expect(await code(post('/exceptions/bulk', { ids: [id], action: 'comment', text: 'x' }, stranger))).toEqual(
    [404, 'NOT_FOUND'],
  )
  expect((await get('/exceptions', stranger)).json.data).toEqual([])
  expect(await read(id)).toMatchObject({ status: 'open', comments: [], owner: null })
})

test('lists by each filter, page after page', async () => {
  const who = user()
  const ids = [
    await raise({ userReference: who, kind: 'late', paymentId: 'pay_1' }),
    await raise({ userReference: who, kind: 'late' }),
    await raise({ userReference: who, kind: 'duplicate' }),
  ]
  await sql()`UPDATE exceptions SET due_at = now() - interval '1 minute' WHERE id = ${ids[1] ?? ''}`
  await post(`/exceptions/${ids[2]}/assign`, { owner: stage.people[1].id })
  const found = async (query: string) =>
    (await get(`/exceptions?user_reference=${who}&${query}`)).json.data.map(({ id }: { id: string }) => id)
  expect(await found('')).toEqual([ids[2], ids[1], ids[0]])
  expect(await found('kind=late')).toEqual([ids[1], ids[0]])
  expect(await found('status=in_progress')).toEqual([ids[2]])
  expect(await found(`owner=${stage.people[1].id}`)).toEqual([ids[2]])
  expect(await found('overdue=true')).toEqual([ids[1]])
  expect(await found('overdue=false')).toEqual([ids[2], ids[0]])
  expect(await found('payment_id=pay_1')).toEqual([ids[0]])
  expect(await found('kind=late&status=open&overdue=true')).toEqual([ids[1]])
  const first = await get(`/exceptions?user_reference=${who}&limit=2`)
  expect(first.json.pagination).toMatchObject({ has_more: true })
  const next = await get(
    `/exceptions?user_reference=${who}&limit=2&cursor=${first.json.pagination.next_cursor}`,
  )
  expect(next.json.data.map(({ id }: { id: string }) => id)).toEqual([ids[0]])
  expect((await get('/exceptions?kind=deposit.held')).status).toBe(400)
  expect((await get('/exceptions?colour=red')).status).toBe(400)
})

describe('decisions of one person', () => {
  test('assigns, comments and resolves, with history and audit entries', async () => {
    const id = await raise()
    const [person] = stage.people
    expect((await post(`/exceptions/${id}/assign`, { owner: person.id })).json.data).toMatchObject({
      owner: person.id,
      status: 'in_progress',
    })
    expect((await post(`/exceptions/${id}/assign`, { owner: person.id })).status).toBe(200)
    expect((await post(`/exceptions/${id}/comments`, { text: 'A node lagged' })).status).toBe(201)
    const resolved = await post(`/exceptions/${id}/resolve`, {
      resolution: 'none',
      comment: 'It is right now',
      root_cause: 'A node lagged',
    })
    expect(resolved.status).toBe(200)
    expect(resolved.json.data).toMatchObject({
      status: 'resolved',
      resolution: 'none',
      root_cause: 'A node lagged',
      comments: [
        { text: 'A node lagged', by: person.id },
        { text: 'It is right now', by: person.id },
      ],
      history: [{ status: 'open' }, { status: 'in_progress' }, { status: 'resolved' }],
    })
    expect(resolved.json.data.resolved_at).not.toBeNull()
    expect(await audited(id)).toEqual([
      'exception.assigned',
      'exception.commented',
      'exception.resolved',
      'exception.commented',
      'exception.root_cause_set',
    ])
    for (const again of ['assign', 'resolve'] as const) {
      const body = again === 'assign' ? { owner: person.id } : { resolution: 'none', comment: 'again' }
      expect(await code(post(`/exceptions/${id}/${again}`, body))).toEqual([409, 'INVALID_STATE'])
    }
  })

  test('adds two hundred comments and no more, and still resolves', async () => {
    const id = await raise()
    await sql()`
      UPDATE exceptions SET comments = (
        SELECT jsonb_agg(jsonb_build_object('text', 'x', 'by', 'per_1', 'at', '2026-01-01T00:00:00.000Z'))
        FROM generate_series(1, 199)) WHERE id = ${id}`
    expect((await post(`/exceptions/${id}/comments`, { text: 'the last one' })).status).toBe(201)
    const more = await post(`/exceptions/${id}/comments`, { text: 'one more' })
    expect([more.status, more.json.error.code]).toEqual([409, 'INVALID_STATE'])
    const bulk = await post('/exceptions/bulk', { ids: [id], action: 'comment', text: 'one more' })
    expect(bulk.json.error.code).toBe('INVALID_STATE')
    const done = await post(`/exceptions/${id}/resolve`, { resolution: 'none', comment: 'done' })
    expect(done.json.data.status).toBe('resolved')
  })

  test('refuses an owner who is no person of the merchant', async () => {
    const id = await raise()
    const other = await createPerson(sql(), { merchantId: await stage.api.newMerchant(), name: 'Other' })
    for (const owner of [other, 'per_none']) {
      expect(await code(post(`/exceptions/${id}/assign`, { owner }))).toEqual([422, 'UNKNOWN_PERSON'])
    }
    expect(await read(id)).toMatchObject({ owner: null, status: 'open' })
  })

  test('needs the scope reconciliation or the role finance', async () => {
    const id = await raise()
    const { merchantId } = stage.api
    const comment = (key: ApiKeyPair) => code(post(`/exceptions/${id}/comments`, { text: 'x' }, key))
    const keyOf = async (role: string | null, scopes: string[]) => {
      const personId = await createPerson(sql(), { merchantId, name: 'Clerk' })
      if (role !== null) {
        const raw = Buffer.from(newId('key').slice(-32))
        await createApprover(sql(), { merchantId, personId, ed25519PublicKey: raw, role })
      }
      return stage.api.newKey({ personId, scopes })
    }
    expect(await comment(await keyOf(null, ['read', 'approvals']))).toEqual([403, 'INSUFFICIENT_SCOPE'])
    expect(await comment(await keyOf('reviewer', ['read']))).toEqual([403, 'INSUFFICIENT_SCOPE'])
    expect(await comment(await keyOf('finance', ['withdrawals']))).toEqual([403, 'INSUFFICIENT_SCOPE'])
    expect((await comment(await keyOf('finance', ['read'])))[0]).toBe(201)
    expect((await comment(await stage.api.newKey({ scopes: ['reconciliation'] })))[0]).toBe(201)
  })

  test('answers the same request with the same key once', async () => {
    const id = await raise()
    const headers = { 'Idempotency-Key': `once-${id}` }
    for (const _ of [1, 2]) {
      await post(`/exceptions/${id}/comments`, { text: 'once' }, undefined, headers)
    }
    expect((await read(id)).comments).toHaveLength(1)
  })

  test('does the same for many, or for none', async () => {
    const ids = [await raise(), await raise(), await raise()]
    const theirs = await inTransaction(sql(), async (tx) => {
      const [merchant] = await tx<
        { id: string }[]
      >`SELECT merchant_id AS id FROM api_keys WHERE id = ${stranger.id}`
      return raiseException(tx, {
        merchantId: merchant?.id ?? '',
        kind: 'late',
        cause: 'x',
        subject: { type: 'payment', id: 'pay_x' },
        reason: 'late',
        expected: null,
        actual: null,
      })
    })
    const resolve = { action: 'resolve', resolution: 'none', comment: 'All explained' }
    expect(await code(post('/exceptions/bulk', { ids: [...ids, theirs], ...resolve }))).toEqual([
      404,
      'NOT_FOUND',
    ])
    await post(`/exceptions/${ids[1]}/resolve`, { resolution: 'none', comment: 'alone' })
    expect(await code(post('/exceptions/bulk', { ids, ...resolve }))).toEqual([409, 'INVALID_STATE'])
    for (const id of [ids[0], ids[2]]) {
      expect(await read(id ?? '')).toMatchObject({ status: 'open', comments: [] })
    }
    const left = [ids[2], ids[0], ids[2]]
    const done = await post('/exceptions/bulk', { ids: left, ...resolve })
    expect(done.json.data).toMatchObject({ action: 'resolve', changed: 2 })
    expect(done.json.data.exceptions.map((each: { status: string }) => each.status)).toEqual([
      'resolved',
      'resolved',
    ])
    expect((await post('/exceptions/bulk', { ids, action: 'assign', owner: 'x', colour: 1 })).status).toBe(
      400,
    )
    expect(
      (await post('/exceptions/bulk', { ids, action: 'resolve', resolution: 'credit', comment: 'x' })).status,
    ).toBe(400)
  })
})

describe('a dispute', () => {
  const dispute = (type: string, id: string) =>
    post('/exceptions', { kind: 'dispute', subject: { type, id }, reason: 'The payer asks for it back' })

  test('holds a deposit until it is resolved, and is one for a subject', async () => {
    const who = user()
    const id = await deposit(who, 3n)
    await deposit(who, 2n)
    const { status, json } = await dispute('deposit', id)
    expect(status).toBe(201)
    expect(json.data).toMatchObject({
      kind: 'dispute',
      severity: 'high',
      subject: { type: 'deposit', id },
      user_reference: who,
      holds: [{ network: 'ethereum', coin: 'eth', amount: '3' }],
    })
    expect(await funds(who)).toEqual({ available: 2n * ETHER, reserved: 3n * ETHER })
    const again = await dispute('deposit', id)
    expect([again.status, again.json.data.id]).toEqual([200, json.data.id])
    const together = await Promise.all([1, 2, 3].map(() => dispute('deposit', id)))
    expect(new Set(together.map((each) => each.json.data.id)).size).toBe(1)
    expect(await funds(who)).toEqual({ available: 2n * ETHER, reserved: 3n * ETHER })
    const [totals] = (await get(`/balances/totals?group_by=user&user_reference=${who}`)).json.data
    expect(totals).toMatchObject({ deposited: '5', withdrawn: '0' })
    await post(`/exceptions/${json.data.id}/resolve`, { resolution: 'none', comment: 'Settled' })
    expect(await funds(who)).toEqual({ available: 5n * ETHER, reserved: 0n })
    // Another dispute of the same subject is another one.
    expect((await dispute('deposit', id)).json.data.id).not.toBe(json.data.id)
    const balances = await sql()<{ held: string }[]>`
      SELECT data #>> '{funds,1,delta}' AS held FROM events
      WHERE type = 'balance.updated' AND subject = ${json.data.id} ORDER BY position`
    expect(balances.map((each) => each.held)).toEqual(['3', '-3'])
  })

  test('is raised by the operator too, for the merchant who then resolves it', async () => {
    const operator = await createOperatorKey(sql(), MASTER_KEY, {
      name: 'test',
      ipAllowlist: ['0.0.0.0/0', '::/0'],
    })
    const who = user()
    const id = await deposit(who, 3n)
    const body = { kind: 'dispute', subject: { type: 'deposit', id }, reason: 'A bank asks for it back' }
    const path = (merchant: string) => `/admin/merchants/${merchant}/exceptions`
    expect(await code(post(path(stage.api.merchantId), body))).toEqual([403, 'INSUFFICIENT_SCOPE'])
    expect(await code(post('/exceptions', body, operator))).toEqual([403, 'INSUFFICIENT_SCOPE'])
    const other = await stage.api.newMerchant()
    expect(await code(post(path(other), body, operator))).toEqual([404, 'NOT_FOUND'])
    expect(await code(post(path('nobody'), body, operator))).toEqual([404, 'NOT_FOUND'])
    expect(await code(post(path(other), { ...body, kind: 'drift' }, operator))).toEqual([
      400,
      'VALIDATION_FAILED',
    ])
    const key = { 'Idempotency-Key': 'dispute-of-operator' }
    const { status, json } = await post(path(stage.api.merchantId), body, operator, key)
    expect([status, json.data.kind, json.data.holds[0].amount]).toEqual([201, 'dispute', '3'])
    expect((await post(path(stage.api.merchantId), body, operator, key)).json).toEqual(json)
    expect((await post(path(stage.api.merchantId), body, operator)).status).toBe(200)
    expect(await funds(who)).toEqual({ available: 0n, reserved: 3n * ETHER })
    const [entry] = await sql()`
      SELECT merchant_id, actor FROM audit_log WHERE subject = ${json.data.id} AND action = 'exception.disputed'`
    expect(entry).toEqual({ merchant_id: stage.api.merchantId, actor: `api-key:${operator.id}` })
    await post(`/exceptions/${json.data.id}/resolve`, { resolution: 'none', comment: 'Settled' })
    expect(await funds(who)).toEqual({ available: 3n * ETHER, reserved: 0n })
  })

  test('holds what is left, and all that a user has', async () => {
    const who = user()
    const id = await deposit(who, 3n)
    await post('/transfers', {
      from_user_reference: who,
      to_user_reference: 'shop',
      network: 'ethereum',
      coin: 'eth',
      amount: '2',
      reason: 'bought',
    })
    const first = await dispute('deposit', id)
    expect(first.json.data.holds).toMatchObject([{ amount: '1' }])
    // Nothing is left for another one.
    expect((await dispute('user', who)).json.data.holds).toEqual([])
    await deposit(who, 4n)
    await post(`/exceptions/${first.json.data.id}/resolve`, { resolution: 'none', comment: 'ok' })
    // The dispute about the user stands, and what the other one held was the user's when it was raised.
    expect(await funds(who)).toEqual({ available: 4n * ETHER, reserved: ETHER })
    const rich = user()
    await deposit(rich, 7n)
    expect((await dispute('user', rich)).json.data.holds).toMatchObject([{ amount: '7' }])
    expect(
      await code(
        post('/transfers', {
          from_user_reference: rich,
          to_user_reference: 'shop',
          network: 'ethereum',
          coin: 'eth',
          amount: '1',
          reason: 'bought',
        }),
      ),
    ).toEqual([422, 'INSUFFICIENT_BALANCE'])
  })

  test('is refused about what is unknown or belongs to another merchant', async () => {
    const id = await deposit(user(), 1n)
    const foreign = post(
      '/exceptions',
      { kind: 'dispute', subject: { type: 'deposit', id }, reason: 'x' },
      stranger,
    )
    expect(await code(foreign)).toEqual([404, 'NOT_FOUND'])
    expect(await code(dispute('payment', 'pay_none'))).toEqual([404, 'NOT_FOUND'])
    expect(await code(dispute('user', 'no such user'))).toEqual([404, 'NOT_FOUND'])
    expect((await dispute('withdrawal', id)).status).toBe(400)
    const drift = { kind: 'drift', subject: { type: 'deposit', id }, reason: 'x' }
    expect((await post('/exceptions', drift)).status).toBe(400)
  })
})

describe('a resolution by a journal', () => {
  const journal = (from: string | null, to: string | null, amount: string) => ({
    from_user_reference: from,
    to_user_reference: to,
    network: 'ethereum',
    coin: 'eth',
    amount,
  })
  const propose = (id: string, resolution: string, body: object) =>
    post(`/exceptions/${id}/resolve`, { resolution, comment: 'As the payer says', journal: body })
  const decide = (
    id: string,
    person: (typeof stage.people)[number],
    decision: 'approve' | 'reject' = 'approve',
    change = {},
  ) => sendDecision(stage.api, `/api/v1/exceptions/${id}`, person, decision, change)
  /** Does what the workflow of the latest request does. */
  const advance = async (id: string) => {
    const [row] = await sql()<{ change_id: string }[]>`SELECT change_id FROM exceptions WHERE id = ${id}`
    return advanceControlChange(sql(), networks, row?.change_id ?? '', new Date())
  }
  const journals = (id: string) => sql()<{ type: string }[]>`
    SELECT type FROM ledger_journals WHERE reference = ${id} ORDER BY id`

  test('moves an amount once after two approvals of others, and names the exception', async () => {
    const [proposer, first, second] = stage.people
    const [from, to] = [user(), user()]
    await deposit(from, 5n)
    const id = await raise({ kind: 'unattributed' })
    const { status, json } = await propose(id, 're_attribute', journal(from, to, '1.5'))
    expect(status).toBe(202)
    expect(json.data).toMatchObject({
      status: 'in_progress',
      approval: {
        path: `/exceptions/${id}`,
        required: 2,
        intent_hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
    })
    expect(await funds(to)).toEqual({ available: 0n, reserved: 0n })
    for (const body of [
      { resolution: 'none', comment: 'x' },
      { resolution: 'refund', comment: 'x', to_address: TO },
    ]) {
      expect(await code(post(`/exceptions/${id}/resolve`, body))).toEqual([409, 'INVALID_STATE'])
    }
    expect(await code(propose(id, 'credit', journal(from, to, '1')))).toEqual([409, 'INVALID_STATE'])
    const { intent } = (await get(`/exceptions/${id}/intent`)).json.data
    expect(intent).toMatchObject({
      kind: 'exception_resolution',
      exception: id,
      resolution: 're_attribute',
      amount: (15n * 10n ** 17n).toString(),
      from_user_reference: from,
      to_user_reference: to,
      initiator: proposer.id,
    })
    expect(await code(get(`/exceptions/${id}/intent`, stranger))).toEqual([404, 'NOT_FOUND'])
    expect(await code(decide(id, proposer))).toEqual([403, 'INITIATOR_CANNOT_APPROVE'])
    expect(await code(decide(id, first, 'approve', { intent_hash: '0'.repeat(64) }))).toEqual([
      409,
      'INTENT_HASH_MISMATCH',
    ])
    const forged = Buffer.alloc(64, 7).toString('base64')
    expect(await code(decide(id, first, 'approve', { signature: forged }))).toEqual([
      422,
      'INVALID_APPROVAL_SIGNATURE',
    ])
    expect((await decide(id, first)).status).toBe(201)
    expect(await advance(id)).toMatchObject({ state: 'pending_approval', approvals: 1 })
    expect(await funds(to)).toEqual({ available: 0n, reserved: 0n })
    expect(await code(decide(id, first))).toEqual([409, 'ALREADY_DECIDED'])
    expect((await decide(id, second)).status).toBe(201)
    const all = await Promise.all([advance(id), advance(id), advance(id)])
    expect(all.map((each) => each.state)).toEqual(['effective', 'effective', 'effective'])
    expect(await funds(from)).toEqual({ available: 35n * 10n ** 17n, reserved: 0n })
    expect(await funds(to)).toEqual({ available: 15n * 10n ** 17n, reserved: 0n })
    expect([...(await journals(id))]).toEqual([{ type: 'transfer.re_attribute' }])
    expect(await read(id)).toMatchObject({ status: 'resolved', resolution: 're_attribute', approval: null })
    const [totals] = (await get(`/balances/totals?group_by=user&user_reference=${to}`)).json.data
    expect(totals).toMatchObject({ transferred_in: '1.5', deposited: '0', withdrawn: '0' })
    expect(await code(decide(id, second))).toEqual([409, 'ALREADY_DECIDED'])
  })

  test('does not block another resolution once its time is over, and is booked if it was approved in time', async () => {
    const [, first, second] = stage.people
    const who = await customer()
    await stage.credit('ethereum', 'eth', '', 10n * ETHER)
    const expired = async (change: Partial<NewException> = {}) => {
      const id = await raise(change)
      expect((await propose(id, 'credit', journal(null, who, '1'))).status).toBe(202)
      return id
    }
    const expire = () => sql()`
      UPDATE control_changes SET expires_at = clock_timestamp() - interval '1 ms'
      WHERE kind = 'exception_resolution' AND state = 'pending_approval'`
    const paid = await deposit(who, 2n)
    const [alone, many, uploaded] = [await expired(), await expired(), await expired()]
    const refunded = await expired({ kind: 'late', subject: { type: 'deposit', id: paid } })
    const approved = await expired()
    for (const person of [first, second]) expect((await decide(approved, person)).status).toBe(201)
    await expire()
    const none = { resolution: 'none', comment: 'x' }
    expect((await post(`/exceptions/${alone}/resolve`, none)).json.data).toMatchObject({ resolution: 'none' })
    expect((await post('/exceptions/bulk', { ids: [many], action: 'resolve', ...none })).status).toBe(200)
    const file = await stage.api.call({
      method: 'POST',
      path: '/api/v1/exceptions/upload',
      key: stage.people[0].key,
      body: `id,resolution\n${uploaded},none\n${approved},none\n`,
      headers: { 'Content-Type': 'text/csv' },
    })
    expect(file.json.data).toMatchObject({ changes: 1, rejected: [{ line: 3 }] })
    expect(
      (await post(`/exceptions/${refunded}/resolve`, { resolution: 'refund', comment: 'x', to_address: TO }))
        .status,
    ).toBe(202)
    expect(await audited(alone)).toContain('exception.resolved')
    // Its approvals were in time, and only its workflow is late.
    expect(await code(propose(approved, 'credit', journal(null, who, '2')))).toEqual([409, 'INVALID_STATE'])
    expect(await code(post(`/exceptions/${approved}/resolve`, none))).toEqual([409, 'INVALID_STATE'])
    expect(await advance(approved)).toMatchObject({ state: 'effective' })
    expect(await read(approved)).toMatchObject({ status: 'resolved', resolution: 'credit' })
  })

  test('returns the exception to what it was after a rejection, and may be proposed again', async () => {
    const [, first, second] = stage.people
    const who = await customer()
    const id = await raise()
    await stage.credit('ethereum', 'eth', '', 10n * ETHER)
    await propose(id, 'credit', journal(null, who, '1'))
    await decide(id, first)
    expect((await decide(id, second, 'reject')).status).toBe(201)
    expect(await advance(id)).toMatchObject({ state: 'rejected' })
    expect(await read(id)).toMatchObject({ status: 'open', resolution: null, approval: null })
    expect([...(await journals(id))]).toEqual([])
    expect((await propose(id, 'credit', journal(null, who, '2'))).status).toBe(202)
    await decide(id, first)
    await decide(id, second)
    await advance(id)
    expect(await funds(who)).toEqual({ available: 2n * ETHER, reserved: 0n })
  })

  test('gives the exception its root cause when it is booked, and not after a rejection or its expiry', async () => {
    const [, first, second] = stage.people
    const who = await customer()
    const id = await raise()
    await stage.credit('ethereum', 'eth', '', 10n * ETHER)
    const proposed = async (rootCause?: string) => {
      const body = {
        resolution: 'credit',
        comment: 'x',
        journal: journal(null, who, '1'),
        root_cause: rootCause,
      }
      expect((await post(`/exceptions/${id}/resolve`, body)).json.data).toMatchObject({ root_cause: null })
    }
    await proposed('A wrong guess')
    await decide(id, first, 'reject')
    await advance(id)
    expect(await read(id)).toMatchObject({ status: 'open', root_cause: null })
    await proposed('Another guess')
    await sql()`UPDATE control_changes SET expires_at = now() WHERE intent ->> 'exception' = ${id}`
    await advance(id)
    expect(await read(id)).toMatchObject({ status: 'open', root_cause: null })
    await proposed()
    await decide(id, first, 'reject')
    await advance(id)
    await proposed('A node lagged')
    for (const person of [first, second]) await decide(id, person)
    await advance(id)
    expect(await read(id)).toMatchObject({ status: 'resolved', root_cause: 'A node lagged' })
    expect((await audited(id)).filter((action) => action === 'exception.root_cause_set')).toHaveLength(1)
  })

  test('books nothing when the amount is gone or the exception is resolved before the approvals', async () => {
    const [, first, second] = stage.people
    const [from, to] = [user(), user()]
    await deposit(from, 1n)
    expect(await code(propose(await raise(), 're_attribute', journal(from, to, '1.1')))).toEqual([
      422,
      'INSUFFICIENT_BALANCE',
    ])
    expect(await code(propose(await raise(), 're_attribute', journal(from, from, '1')))).toEqual([
      422,
      'SAME_PARTY',
    ])
    const spent = await raise()
    await propose(spent, 're_attribute', journal(from, to, '1'))
    const gone = await raise()
    await propose(gone, 're_attribute', journal(from, to, '1'))
    await post('/transfers', { ...journal(from, 'shop', '0.5'), reason: 'bought' })
    await inTransaction(sql(), async (tx) => {
      const { subject } = await read(gone)
      await closeCause(tx, stage.api.merchantId, `test:${subject.id}`, {})
    })
    for (const id of [spent, gone]) {
      await decide(id, first)
      await decide(id, second)
      expect(await advance(id)).toMatchObject({ state: 'superseded' })
      expect([...(await journals(id))]).toEqual([])
    }
    expect(await read(spent)).toMatchObject({ status: 'open', resolution: null })
    expect((await read(spent)).comments.at(-1).text).toContain('INSUFFICIENT_BALANCE')
    expect(await read(gone)).toMatchObject({ status: 'resolved', resolution: 'cause_gone' })
    expect(await funds(from)).toEqual({ available: ETHER / 2n, reserved: 0n })
  })

  test('refuses to credit a user who never had an address or an account', async () => {
    const [id, who] = [await raise(), user()]
    await stage.credit('ethereum', 'eth', '', 10n * ETHER)
    const { status, json } = await propose(id, 'credit', journal(null, who, '1'))
    expect([status, json.error]).toMatchObject([
      404,
      {
        code: 'NOT_FOUND',
        details: { user_reference: who },
        message: expect.stringContaining('to_user_reference'),
      },
    ])
    expect(await read(id)).toMatchObject({ status: 'open', approval: null })
    await stage.credit('ethereum', 'usdt', who, 1n)
    expect((await propose(id, 'credit', journal(null, who, '1'))).status).toBe(202)
  })

  test('moves what a dispute holds', async () => {
    const [, first, second] = stage.people
    const [from, to] = [user(), user()]
    const id = await deposit(from, 3n)
    const { json } = await post('/exceptions', {
      kind: 'dispute',
      subject: { type: 'deposit', id },
      reason: 'x',
    })
    expect((await propose(json.data.id, 're_attribute', journal(from, to, '3'))).status).toBe(202)
    expect(await funds(from)).toEqual({ available: 0n, reserved: 3n * ETHER })
    await decide(json.data.id, first)
    await decide(json.data.id, second)
    await advance(json.data.id)
    expect(await funds(from)).toEqual({ available: 0n, reserved: 0n })
    expect(await funds(to)).toEqual({ available: 3n * ETHER, reserved: 0n })
    expect((await journals(json.data.id)).map((each) => each.type)).toEqual([
      'exception.held',
      'exception.released',
      'transfer.re_attribute',
    ])
  })

  test('writes off what an address does not have, at the merchant’s loss', async () => {
    const [, first, second] = stage.people
    const { id: address } = await stage.wallet('ethereum', 'hot')
    await stage.credit('ethereum', 'eth', '', 4n * ETHER)
    const own = (await funds('')).available
    const chain = await stage.balance('ethereum', 'eth', 'chain', address)
    const id = await raise()
    const body = (amount: string, address_id = address) => ({
      address_id,
      network: 'ethereum',
      coin: 'eth',
      amount,
    })
    expect(await code(propose(id, 'write_off', body('1', 'addr_none')))).toEqual([404, 'NOT_FOUND'])
    expect(await code(propose(id, 'write_off', body('1000000')))).toEqual([422, 'INSUFFICIENT_BALANCE'])
    await propose(id, 'write_off', body('1.25'))
    await decide(id, first)
    await decide(id, second)
    await advance(id)
    const loss = 125n * 10n ** 16n
    expect((await funds('')).available).toBe(own - loss)
    expect(await stage.balance('ethereum', 'eth', 'chain', address)).toBe(chain - loss)
    expect(await read(id)).toMatchObject({ status: 'resolved', resolution: 'write_off' })
  })
})

describe('a refund', () => {
  /** Ends the withdrawal as its workflow would. */
  const end = (id: string, to: 'confirmed' | 'failed') =>
    inTransaction(sql(), async (tx) => {
      await tx`UPDATE payouts SET stage = ${to === 'confirmed' ? 'confirming' : 'building'} WHERE id = ${id}`
      const row = await lockWithdrawal(tx, id)
      if (to === 'failed') await postJournal(tx, releaseJournal(row))
      return movePayout(tx, networks, row, { to, actor: 'system:test', confirmed: to === 'confirmed' })
    })

  test('is a withdrawal under all controls, and resolves the exception when it is confirmed', async () => {
    const who = user()
    const depositId = await deposit(who, 3n)
    await stage.credit('ethereum', 'eth', '', 10n * ETHER)
    const id = await raise({ kind: 'late', userReference: who, evidence: { deposit_id: depositId } })
    expect((await post(`/exceptions/${id}/resolve`, { resolution: 'refund', comment: 'x' })).status).toBe(400)
    const bad = { resolution: 'refund', comment: 'x', to_address: '0x12' }
    expect(await code(post(`/exceptions/${id}/resolve`, bad))).toEqual([422, 'INVALID_ADDRESS'])
    const { status, json } = await post(`/exceptions/${id}/resolve`, {
      resolution: 'refund',
      comment: 'The payer was too late',
      to_address: TO,
    })
    expect(status).toBe(202)
    const { withdrawal_id: withdrawal } = json.data
    expect(json.data).toMatchObject({
      status: 'in_progress',
      approval: { path: `/withdrawals/${withdrawal}`, required: 2 },
    })
    const view = await stage.read(withdrawal)
    expect(view).toMatchObject({
      amount: '3',
      coin: 'eth',
      to_address: TO,
      user_reference: who,
      status: 'pending',
    })
    expect(await funds(who)).toEqual({ available: 0n, reserved: 3n * ETHER })
    expect(await code(post(`/exceptions/${id}/resolve`, { resolution: 'none', comment: 'x' }))).toEqual([
      409,
      'INVALID_STATE',
    ])
    const bulk = { ids: [id], action: 'resolve', resolution: 'none', comment: 'x' }
    expect(await code(post('/exceptions/bulk', bulk))).toEqual([409, 'INVALID_STATE'])
    await end(withdrawal, 'confirmed')
    expect(await read(id)).toMatchObject({
      status: 'resolved',
      resolution: 'refund',
      withdrawal_id: withdrawal,
    })
  })

  test('leaves the exception open when the withdrawal fails, and a dispute holds again', async () => {
    const who = user()
    const depositId = await deposit(who, 2n)
    await stage.credit('ethereum', 'eth', '', 10n * ETHER)
    const subject = { type: 'deposit', id: depositId }
    const { json } = await post('/exceptions', { kind: 'dispute', subject, reason: 'x' })
    const { id } = json.data
    const refund = { resolution: 'refund', comment: 'x', journal: { to_address: TO } }
    const asked = await post(`/exceptions/${id}/resolve`, refund)
    expect(asked.status).toBe(202)
    expect(asked.json.data.holds).toEqual([])
    expect(await funds(who)).toEqual({ available: 0n, reserved: 2n * ETHER })
    await end(asked.json.data.withdrawal_id, 'failed')
    expect(await read(id)).toMatchObject({ status: 'open', withdrawal_id: null, holds: [{ amount: '2' }] })
    expect(await funds(who)).toEqual({ available: 0n, reserved: 2n * ETHER })
    const again = await post(`/exceptions/${id}/resolve`, refund)
    await end(again.json.data.withdrawal_id, 'confirmed')
    expect(await read(id)).toMatchObject({ status: 'resolved', resolution: 'refund' })
  })

  test('gives the exception its root cause when it is confirmed, and not when it fails', async () => {
    const depositId = await deposit(user(), 3n)
    await stage.credit('ethereum', 'eth', '', 10n * ETHER)
    const id = await raise({ kind: 'late', evidence: { deposit_id: depositId } })
    const failed = await post(`/exceptions/${id}/resolve`, { ...refund, root_cause: 'The payer was late' })
    expect(failed.json.data).toMatchObject({ status: 'in_progress', root_cause: null })
    await end(failed.json.data.withdrawal_id, 'failed')
    expect(await read(id)).toMatchObject({ status: 'open', root_cause: null })
    const retried = await post(`/withdrawals/${failed.json.data.withdrawal_id}/retry`, {})
    await end(retried.json.data.id, 'confirmed')
    expect(await read(id)).toMatchObject({ status: 'resolved', root_cause: 'The payer was late' })
  })

  const refund = { resolution: 'refund', comment: 'x', to_address: TO }
  const ask = (id: string) => post(`/exceptions/${id}/resolve`, refund)
  const concerning = async (depositId: string, change: Partial<NewException> = {}) =>
    raise({ kind: 'late', evidence: { deposit_id: depositId }, ...change })
  /** Stores a signed attempt that a block at this height excluded, and scans the chain up to another one. */
  const exclude = async (id: string, conflict: number, scanned: number) => {
    const wallet = await stage.wallet('ethereum', 'hot')
    const attempt = newId('tx')
    await sql()`
      INSERT INTO attempts (id, merchant_id, subject_type, payout_id, number, network, from_address_id, nonce, state, payload,
                            coin, amount, max_fee, txid, signed_transaction, conflict_height)
      VALUES (${attempt}, ${stage.api.merchantId}, 'withdrawal', ${id}, 1, 'ethereum', ${wallet.id}, 7, 'replaced', '{}',
              'eth', 1, 1, ${`0x${attempt}`}, '0x02', ${conflict})`
    await scan(scanned)
  }
  const scan = (height: number) => sql()`
    INSERT INTO chain_cursors (network, height, block_hash, head_height)
    VALUES ('ethereum', ${height}, '0x1', ${height}) ON CONFLICT (network) DO UPDATE SET height = ${height}`
  /** Takes back the end of a withdrawal, as a reorg does. */
  const reopen = (id: string) =>
    inTransaction(sql(), (tx) => reopenWithdrawals(tx, networks.get('ethereum') as Network, [id]))

  test.each([
    ['reverted', 'late'],
    ['detected', 'late'],
    ['held', 'dispute'],
    ['success', 'rejected_deposit'],
    ['held', 'rejected_deposit'],
  ] as const)('of a deposit that is %s is refused for an exception of the kind %s', async (status, kind) => {
    const id = await deposit(user(), 3n)
    await sql()`UPDATE deposits SET status = ${status} WHERE id = ${id}`
    const subject = { type: 'deposit', id }
    const exception = await raise({ kind, subject })
    expect(await code(ask(exception))).toEqual([409, 'INVALID_STATE'])
    expect(await read(exception)).toMatchObject({ status: 'open', withdrawal_id: null })
  })

  test('of a rejected deposit is paid from the own account while it is held', async () => {
    const id = await deposit(user(), 3n)
    await stage.credit('ethereum', 'eth', '', 10n * ETHER)
    await sql()`UPDATE deposits SET status = 'held', decision = '{"verdict":"reject","epoch":0}' WHERE id = ${id}`
    const { status, json } = await ask(
      await raise({ kind: 'rejected_deposit', subject: { type: 'deposit', id } }),
    )
    expect(status).toBe(202)
    expect(await stage.read(json.data.withdrawal_id)).toMatchObject({ user_reference: null, amount: '3' })
  })

  test('pays a deposit back once, however many exceptions name it', async () => {
    const who = user()
    const depositId = await deposit(who, 3n)
    await deposit(who, 9n)
    await stage.credit('ethereum', 'eth', '', 10n * ETHER)
    const paymentId = newId('pay')
    const first = await concerning(depositId, { paymentId })
    const second = await concerning(depositId, { kind: 'duplicate', paymentId })
    const whole = await raise({
      kind: 'late_confirmed',
      subject: { type: 'payment', id: paymentId },
      paymentId,
    })
    const failed = (await ask(first)).json.data.withdrawal_id
    expect((await ask(second)).json.error).toMatchObject({
      code: 'INVALID_STATE',
      details: { withdrawal_id: failed },
    })
    expect((await ask(whole)).json.error.details).toMatchObject({ withdrawal_id: failed })
    await end(failed, 'failed')
    const paid = (await ask(second)).json.data.withdrawal_id
    await end(paid, 'confirmed')
    for (const id of [first, whole]) {
      expect((await ask(id)).json.error.details).toMatchObject({ withdrawal_id: paid })
    }
    expect(await funds(who)).toMatchObject({ available: 9n * ETHER })
  })

  test('that is tried again is the refund of its exception, and the only one', async () => {
    const who = user()
    const depositId = await deposit(who, 3n)
    await deposit(who, 9n)
    await stage.credit('ethereum', 'eth', '', 10n * ETHER)
    const id = await concerning(depositId)
    const first = (await ask(id)).json.data.withdrawal_id
    await end(first, 'failed')
    expect(await audited(id)).toContain('exception.refund_failed')
    const retried = await post(`/withdrawals/${first}/retry`, {})
    expect(retried.status).toBe(201)
    const second = retried.json.data.id
    expect(await read(id)).toMatchObject({ status: 'in_progress', withdrawal_id: second })
    expect(await code(ask(id))).toEqual([409, 'INVALID_STATE'])
    await end(second, 'confirmed')
    expect(await read(id)).toMatchObject({ status: 'resolved', resolution: 'refund', withdrawal_id: second })
  })

  test('that failed is not tried again after another one has paid', async () => {
    const who = user()
    const depositId = await deposit(who, 3n)
    await deposit(who, 9n)
    await stage.credit('ethereum', 'eth', '', 10n * ETHER)
    const [one, other] = [await concerning(depositId), await concerning(depositId)]
    const failed = (await ask(one)).json.data.withdrawal_id
    await end(failed, 'failed')
    await end((await ask(other)).json.data.withdrawal_id, 'confirmed')
    expect(await code(post(`/withdrawals/${failed}/retry`, {}))).toEqual([409, 'INVALID_STATE'])
  })

  test('that a reorg opens again is waited for, and stops another one', async () => {
    const who = user()
    const depositId = await deposit(who, 3n)
    await deposit(who, 9n)
    await stage.credit('ethereum', 'eth', '', 10n * ETHER)
    const id = await concerning(depositId)
    const first = (await ask(id)).json.data.withdrawal_id
    await end(first, 'failed')
    await exclude(first, 1_000, 1_050)
    expect((await ask(id)).json.error.details).toMatchObject({ withdrawal_id: first, stage: 'failed' })
    await reopen(first)
    expect(await read(id)).toMatchObject({ status: 'in_progress', withdrawal_id: first })
    expect(await funds(who)).toEqual({ available: 9n * ETHER, reserved: 3n * ETHER })
    await end(first, 'failed')
    await scan(2_000)
    const second = (await ask(id)).json.data.withdrawal_id
    await reopen(first)
    const [stopped] = await sql()`SELECT investigation FROM payouts WHERE id = ${second}`
    expect(stopped?.investigation).toMatchObject({ by: 'system:chain-watcher' })
  })

  test('that is under way keeps its exception when the cause ends', async () => {
    const depositId = await deposit(user(), 3n)
    await stage.credit('ethereum', 'eth', '', 10n * ETHER)
    const subject = { type: 'deposit', id: depositId }
    const id = await raise({ kind: 'late', subject })
    const { withdrawal_id: withdrawal } = (await ask(id)).json.data
    const gone = () =>
      inTransaction(sql(), (tx) => closeCause(tx, stage.api.merchantId, `test:${depositId}`, {}))
    expect(await gone()).toBe(false)
    expect(await read(id)).toMatchObject({ status: 'in_progress', withdrawal_id: withdrawal })
    await end(withdrawal, 'failed')
    expect(await gone()).toBe(true)
  })

  test('that was confirmed and did not pay after a reorg raises its exception again', async () => {
    const depositId = await deposit(user(), 3n)
    await stage.credit('ethereum', 'eth', '', 10n * ETHER)
    const subject = { type: 'deposit', id: depositId }
    const id = await raise({ kind: 'late', subject })
    const { withdrawal_id: withdrawal } = (await ask(id)).json.data
    await end(withdrawal, 'confirmed')
    await reopen(withdrawal)
    expect(await read(id)).toMatchObject({ status: 'resolved', resolution: 'refund' })
    const detail = 'transaction.reverted_after_final'
    const taken = await raise({ kind: 'reorged', detail, subject: { type: 'withdrawal', id: withdrawal } })
    await end(withdrawal, 'failed')
    await closeGoneCauses(sql())
    expect(await read(taken)).toMatchObject({ status: 'open' })
    const [again] = (await get('/exceptions?kind=late&status=open&limit=1')).json.data
    expect(again).toMatchObject({ subject, evidence: { exception_id: id, withdrawal_id: withdrawal } })
    expect((await ask(again.id)).status).toBe(202)
  })

  test('is refused where there is nothing to pay back', async () => {
    expect(await code(post(`/exceptions/${await raise()}/resolve`, refund))).toEqual([409, 'INVALID_STATE'])
  })
})

describe('a reconciliation of what was resolved', () => {
  // The deposits of this file are credited in one step, by journals that no deposit posts.
  const STAGED = 'deposit.success'

  test('finds the cause of every journal', async () => {
    const types = (
      await sql()<{ type: string }[]>`
        SELECT DISTINCT type FROM ledger_journals WHERE type ~ '^(transfer|exception)' ORDER BY type`
    ).map(({ type }) => type)
    expect(types).toEqual([
      'exception.held',
      'exception.released',
      'exception.written_off',
      'transfer',
      'transfer.credit',
      'transfer.re_attribute',
    ])
    expect(await uncausedJournals(sql(), networks)).toEqual([STAGED])
  })

  test.each([
    ['the amount', 'write_off', 'exception.written_off', { amount: '1' }],
    ['the recipient', 're_attribute', 'transfer.re_attribute', { to_user_reference: 'mallory' }],
    ['the payer', 'credit', 'transfer.credit', { from_user_reference: 'mallory' }],
  ])(
    'finds a journal with another one than %s that two people approved',
    async (_, resolution, type, change) => {
      const [row] = await sql()<{ id: string; intent: Record<string, string> }[]>`
      SELECT id, intent FROM control_changes
      WHERE kind = 'exception_resolution' AND state = 'effective' AND intent ->> 'resolution' = ${resolution}`
      if (!row) throw new Error('No such resolution was booked')
      const set = (intent: Record<string, string>) =>
        sql()`UPDATE control_changes SET intent = ${sql().json(intent)} WHERE id = ${row.id}`
      await set({ ...row.intent, ...change })
      expect(await uncausedJournals(sql(), networks)).toEqual([STAGED, type].sort())
      await set(row.intent)
    },
  )

  test('finds an approved resolution that was not booked', async () => {
    const [row] = await sql()<{ id: string; exception: string; state: string }[]>`
      SELECT id, intent ->> 'exception' AS exception, state FROM control_changes
      WHERE kind = 'exception_resolution' AND state IN ('rejected', 'superseded') LIMIT 1`
    if (!row) throw new Error('No resolution was refused')
    const set = (state: string) => sql()`UPDATE control_changes SET state = ${state} WHERE id = ${row.id}`
    await set('effective')
    expect(await uncausedJournals(sql(), networks)).toEqual([STAGED, `exception ${row.exception}`].sort())
    await set(row.state)
  })
})
