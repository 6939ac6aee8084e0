/** Held deposits: a reviewer releases or rejects each once, with an audit entry and an event. */

import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { advanceControlChange } from '../../../db/controls/changes/advance-control-change.js'
import { confirmDeposit } from '../../../db/deposits/confirm-deposit.js'
import { creditDeposit } from '../../../db/deposits/credit-deposit.js'
import { holdDeposit } from '../../../db/deposits/hold-deposit.js'
import { createApprover } from '../../../db/merchants/create-approver.js'
import { createPerson } from '../../../db/merchants/create-person.js'
import type { Network, Networks } from '../../../domain/chain/network.js'
import { approvalMessage } from '../../../domain/controls/approval.js'
import { intentHash } from '../../../domain/controls/intent.js'
import { DEFAULT_POLICY } from '../../../domain/controls/policy.js'
import { ChainModel } from '../../stage/chain-model.js'
import { bitcoin, ledger, merchantWith, networks, scan, type TestAddress } from '../../stage/deposit-steps.js'
import { type ApiKeyPair, startTestApi, type TestApi } from '../../stage/test-api.js'

let api: TestApi
let model: ChainModel
let merchantId: string
let alice: TestAddress
let admin: ApiKeyPair
beforeAll(async () => {
  api = await startTestApi({}, { networks })
  model = new ChainModel(bitcoin)
  await scan(api.database.sql, model.adapter())
  const merchant = await merchantWith(api.database.sql)
  merchantId = merchant.id
  alice = await merchant.address('bitcoin', 'alice')
  const personId = await createPerson(api.database.sql, { merchantId, name: 'Ada' })
  admin = await api.newKey({ merchantId, personId })
})
afterAll(() => api?.database.drop())

/** Makes a confirmed deposit. */
async function pay(amount: bigint): Promise<string> {
  const { sql } = api.database
  const { txid } = model.pay({ payee: alice.payee, coin: 'btc', amount })
  for (let block = 0; block < 3; block++) model.mine()
  await scan(sql, model.adapter())
  const [row] = await sql<{ id: string }[]>`SELECT id FROM deposits WHERE txid = ${txid}`
  await confirmDeposit(sql, networks, row?.id ?? '')
  return row?.id ?? ''
}
async function held(amount: bigint): Promise<string> {
  const id = await pay(amount)
  await holdDeposit(api.database.sql, networks, id, 'on a list')
  return id
}
const decide = (id: string, verdict: string, key = admin, headers: Record<string, string> = {}) =>
  api.call({
    method: 'POST',
    path: `/api/v1/deposits/${id}/${verdict}`,
    body: { reason: 'a gift of my mother' },
    key,
    headers,
  })
const available = () => ledger(api.database.sql, 'available', 'alice')
const reserved = () => ledger(api.database.sql, 'reserved', 'alice')
const statuses = async (subject: string) =>
  (
    await api.database.sql<{ type: string; data: Record<string, unknown> }[]>`
      SELECT type, data FROM events WHERE subject = ${subject} ORDER BY position`
  ).map(({ type, data }) => [type, data.status ?? data.kind ?? null])

test('credits a held deposit once, however often its release is requested', async () => {
  const id = await held(700n)
  const before = await available()
  const key = { 'Idempotency-Key': 'release-1' }
  const answers = await Promise.all([1, 2, 3].map(() => decide(id, 'release')))
  expect(answers.map((each) => each.status).sort()).toEqual([200, 409, 409])
  const credited = answers.find((each) => each.status === 200)
  expect(credited?.json.data).toMatchObject({
    id,
    status: 'success',
    decision: { verdict: 'release', reason: 'a gift of my mother' },
  })
  expect((await decide(id, 'release')).json.error).toMatchObject({
    code: 'INVALID_STATE',
    details: { status: 'success' },
  })
  expect(await available()).toBe(before + 700n)
  expect(await reserved()).toBe(0n)
  expect((await statuses(id)).slice(-2)).toEqual([
    ['balance.updated', null],
    ['deposit.status_changed', 'success'],
  ])
  const audit = await api.database.sql`
    SELECT actor, data ->> 'reason' AS reason FROM audit_log WHERE subject = ${id} AND action = 'deposit.released'`
  expect(audit).toEqual([{ actor: expect.stringMatching(/^person:per_/), reason: 'a gift of my mother' }])

  const again = await held(50n)
  const first = await decide(again, 'release', admin, key)
  const replayed = await decide(again, 'release', admin, key)
  expect([first.status, replayed.status]).toEqual([200, 200])
  expect(replayed.json).toEqual(first.json)
})

test('keeps a rejected deposit held, outside of available, and raises rejected_deposit', async () => {
  const id = await held(900n)
  const before = await available()
  const { status, json } = await decide(id, 'reject')
  expect(status).toBe(200)
  expect(json.data).toMatchObject({ status: 'held', decision: { verdict: 'reject' } })
  const read = await api.call({ path: `/api/v1/deposits/${id}`, key: admin })
  expect(read.json.data.decision).toEqual({
    verdict: 'reject',
    by: expect.stringMatching(/^per_/),
    reason: 'a gift of my mother',
    at: expect.any(String),
  })
  expect(await available()).toBe(before)
  expect(await reserved()).toBe(900n)
  expect((await statuses(id)).slice(-2)).toEqual([
    ['deposit.status_changed', 'held'],
    ['exception.raised', 'rejected_deposit'],
  ])
  for (const verdict of ['release', 'reject']) {
    expect((await decide(id, verdict)).json.error.code).toBe('INVALID_STATE')
  }
  const audit = await api.database.sql`
    SELECT 1 FROM audit_log WHERE subject = ${id} AND action = 'deposit.rejected'`
  expect(audit).toHaveLength(1)
})

test('lets only a reviewer or the scope admin decide, and only about held deposits of the own merchant', async () => {
  const { sql } = api.database
  const id = await held(10n)
  const newcomer = async (role: string, scopes: string[]) => {
    const personId = await createPerson(sql, { merchantId, name: role })
    await createApprover(sql, {
      merchantId,
      personId,
      ed25519PublicKey: createHash('sha256').update(role).digest(),
      role,
    })
    return api.newKey({ merchantId, personId, scopes })
  }
  const code = async (answer: ReturnType<typeof decide>) => (await answer).json.error?.code
  expect(await code(decide(id, 'release', await newcomer('approver', ['read', 'approvals'])))).toBe(
    'NOT_AN_APPROVER',
  )
  expect(await code(decide(id, 'release', await newcomer('clerk', ['read', 'withdrawals'])))).toBe(
    'INSUFFICIENT_SCOPE',
  )
  expect(await code(decide(id, 'release', await api.newKey()))).toBe('NOT_FOUND')
  expect(await code(decide('dep_unknown', 'reject'))).toBe('NOT_FOUND')
  expect(await code(decide(await pay(11n), 'release'))).toBe('INVALID_STATE')
  expect((await decide(id, 'release', await newcomer('reviewer', ['approvals']))).status).toBe(200)
})

test('releases dust as it releases deposits that the screening held', async () => {
  const { sql } = api.database
  const [coin] = bitcoin.coins
  const dusty: Networks = new Map([['bitcoin', { ...bitcoin, coins: [{ ...coin, dust: 546n }] } as Network]])
  const id = await pay(545n)
  expect(await creditDeposit(sql, dusty, id)).toEqual({ kind: 'held' })
  const before = await available()
  expect((await decide(id, 'release')).status).toBe(200)
  expect(await available()).toBe(before + 545n)
})

test('holds a deposit from a sanctioned sender, or from a sender that the operator holds', async () => {
  const { sql } = api.database
  const sender = '0xAbCd000000000000000000000000000000000001'
  const sources = sql.json([{ address: sender, amount: '1' }])
  for (const how of ['listed', 'held'] as const) {
    const id = await pay(20n)
    await sql`UPDATE deposits SET sources = ${sources} WHERE id = ${id}`
    if (how === 'listed') await sql`INSERT INTO sanctioned_addresses VALUES (${sender.toLowerCase()})`
    const outcome = await creditDeposit(sql, networks, id, how === 'held' ? [sender.toLowerCase()] : [])
    expect(outcome).toEqual({ kind: 'held' })
    expect((await statuses(id)).slice(-2)).toEqual([
      ['deposit.status_changed', 'held'],
      ['exception.raised', 'deposit.held'],
    ])
    await sql`DELETE FROM sanctioned_addresses`
    expect((await decide(id, 'release')).status).toBe(200)
  }
})

test('requires a new decision when a deposit is held again after a reorganisation', async () => {
  const { sql } = api.database
  const id = await held(60n)
  await decide(id, 'reject')
  await sql`UPDATE deposits SET epoch = epoch + 1 WHERE id = ${id}`
  const read = await api.call({ path: `/api/v1/deposits/${id}`, key: admin })
  expect(read.json.data.decision).toBeNull()
  expect((await decide(id, 'reject')).status).toBe(200)
})

test('waits for two people who did not request a release, if the policy says so, and credits once', async () => {
  const { sql } = api.database
  const policy = { ...DEFAULT_POLICY, held_deposits: { release_approvals: 2 } }
  await sql`INSERT INTO policies (merchant_id, version, policy) VALUES (${merchantId}, 1, ${sql.json(policy as never)})`
  const approvers = await Promise.all(
    ['first', 'second'].map(async (name) => {
      const personId = await createPerson(sql, { merchantId, name })
      const { publicKey, privateKey } = generateKeyPairSync('ed25519')
      const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
      const id = await createApprover(sql, { merchantId, personId, ed25519PublicKey: raw })
      return { id, privateKey, key: await api.newKey({ merchantId, personId }) }
    }),
  )
  const approve = async (path: string, approver: (typeof approvers)[number]) => {
    const { intent_hash } = (await api.call({ path: `/api/v1${path}/intent`, key: admin })).json.data
    const signed = {
      decision: 'approve' as const,
      intent_hash,
      signed_at: new Date().toISOString(),
      approver_id: approver.id,
    }
    const signature = sign(null, Buffer.from(approvalMessage(signed)), approver.privateKey).toString('base64')
    return api.call({
      method: 'POST',
      path: `/api/v1${path}/approvals`,
      body: { ...signed, signature },
      key: approver.key,
    })
  }
  const id = await held(800n)
  const before = await available()
  const asked = await decide(id, 'release')
  expect(asked.status).toBe(202)
  expect(asked.json.data).toMatchObject({ id, status: 'held', decision: null, approval: { required: 2 } })
  const { path, intent_hash } = asked.json.data.approval
  const { intent } = (await api.call({ path: `/api/v1${path}/intent`, key: admin })).json.data
  expect(intentHash(intent)).toBe(intent_hash)
  expect(intent).toMatchObject({
    kind: 'deposit_release',
    deposit: id,
    amount: '800',
    user_reference: 'alice',
  })
  expect((await decide(id, 'release')).json.error).toMatchObject({ code: 'INVALID_STATE', details: { path } })

  const release = intent.release
  const [first, second] = approvers as [(typeof approvers)[number], (typeof approvers)[number]]
  expect((await approve(path, first)).status).toBe(201)
  await advanceControlChange(sql, networks, release, new Date())
  expect(await available()).toBe(before)
  expect((await approve(path, second)).status).toBe(201)
  for (let look = 0; look < 2; look += 1) {
    const { state } = await advanceControlChange(sql, networks, release, new Date())
    expect(state).toBe('effective')
  }
  expect(await available()).toBe(before + 800n)
  const read = await api.call({ path: `/api/v1/deposits/${id}`, key: admin })
  expect(read.json.data).toMatchObject({ status: 'success', decision: { verdict: 'release' } })

  // A deposit that was rejected while its release waited stays rejected.
  const other = await held(70n)
  const { approval } = (await decide(other, 'release')).json.data
  expect((await decide(other, 'reject')).status).toBe(200)
  for (const approver of approvers) await approve(approval.path, approver)
  const waiting = approval.path.split('/').at(-1)
  expect((await advanceControlChange(sql, networks, waiting, new Date())).state).toBe('superseded')
  expect(await available()).toBe(before + 800n)
})
