/** Refunds, retries and investigations of withdrawals. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApprover } from '../../../db/merchants/create-approver.js'
import { claimRequests } from '../../../db/signing/claim-requests.js'
import { type Stage, startStage } from '../../stage/start-stage.js'
import { testNetworks } from '../../stage/test-networks.js'

const networks = testNetworks({ ETHEREUM_ENABLED: 'true', BITCOIN_ENABLED: 'true' })
const TO = '0x742d35Cc6634C0532925a3b844Bc454e4438f44e'
const ETH = 10n ** 18n
let stage: Stage
beforeAll(async () => {
  stage = await startStage({ networks })
  for (const user of ['', 'alice']) await stage.credit('ethereum', 'eth', user, 100n * ETH)
  const { sql } = stage.api.database
  await sql`
    INSERT INTO chain_cursors (network, height, block_hash, head_height) VALUES ('ethereum', 100, '0x64', 100)`
})
afterAll(() => stage?.close())

async function ask(fields: Record<string, unknown> = {}): Promise<string> {
  const { status, json } = await stage.create({
    network: 'ethereum',
    coin: 'eth',
    amount: '1',
    to_address: TO,
    user_reference: 'alice',
    ...fields,
  })
  if (status !== 201) throw new Error(JSON.stringify(json))
  return json.data.id
}
const post = (id: string, path: string, body: unknown, key = stage.people[1].key) =>
  stage.api.call({ method: 'POST', path: `/api/v1/withdrawals/${id}/${path}`, body, key })
const setStage = (id: string, stageName: string) =>
  stage.api.database.sql`UPDATE payouts SET stage = ${stageName} WHERE id = ${id}`
const held = () => stage.balance('ethereum', 'eth', 'reserved', 'alice')
const auditOf = async (id: string) =>
  (
    await stage.api.database.sql<{ action: string }[]>`
      SELECT action FROM audit_log WHERE subject = ${id} ORDER BY position`
  ).map((row) => row.action)
let transactions = 0

/** Stores an attempt as the platform does. @returns The attempt's id. */
async function attempt(
  id: string,
  state: string,
  request: string,
  more: { txid?: string; nonce?: number; succeeded?: boolean; conflictHeight?: number } = {},
): Promise<string> {
  const { sql } = stage.api.database
  const transactionId = `tx_${++transactions}`
  const { id: walletId, address } = await stage.wallet('ethereum', 'hot')
  const payload = { family: 'evm', network: 'ethereum', from: address }
  await sql`
    INSERT INTO attempts (id, merchant_id, subject_type, payout_id, number, network, from_address_id, nonce, state, payload,
                              coin, amount, max_fee, txid, signed_transaction, succeeded, conflict_height)
    SELECT ${transactionId}, ${stage.api.merchantId}, 'withdrawal', ${id}, coalesce(max(number), 0) + 1, 'ethereum',
           ${walletId}, ${more.nonce ?? null}, ${state}, ${sql.json(payload)}, 'eth', 1, 1, ${more.txid ?? null},
           ${more.txid ? '0x02' : null}, ${more.succeeded ?? null}, ${more.conflictHeight ?? null}
    FROM attempts WHERE payout_id = ${id}`
  await sql`
    INSERT INTO signing_requests (id, merchant_id, signer_id, transaction_id, payout_id, state)
    VALUES (${`srq_${transactions}`}, ${stage.api.merchantId}, ${stage.signer.signerId}, ${transactionId}, ${id}, ${request})`
  return transactionId
}

test('releases the hold of an unsigned withdrawal on a refund by a person with the role, and records who and why', async () => {
  const before = await held()
  const id = await ask()
  expect(await held()).toBeLessThan(before)
  const { json } = await post(id, 'refund', { reason: 'customer called' })
  expect(json.data).toMatchObject({
    status: 'cancelled',
    failure: { code: 'REFUNDED', message: 'Refunded by an operator: customer called' },
  })
  expect(await held()).toBe(before)
  expect(await auditOf(id)).toEqual(['withdrawal.requested', 'withdrawal.cancelled'])
  // A second refund changes nothing.
  const again = await post(id, 'refund', { reason: 'once more' })
  expect(again.json.error).toMatchObject({ code: 'INVALID_STATE', details: { stage: 'cancelled' } })
  expect(await held()).toBe(before)
})

test('refuses refunds and clearances by people who are neither reviewers nor have an admin key', async () => {
  const id = await ask()
  const person = await stage.newPerson('clerk')
  const key = await stage.api.newKey({ personId: person.id, scopes: ['read', 'withdrawals', 'approvals'] })
  expect((await post(id, 'refund', { reason: 'x' }, key)).json.error.code).toBe('NOT_AN_APPROVER')
  expect((await post(id, 'mark-for-investigation', { reason: 'odd' }, key)).status).toBe(200)
  expect((await post(id, 'clear-investigation', { reason: 'x' }, key)).json.error.code).toBe(
    'NOT_AN_APPROVER',
  )
  await createApprover(stage.api.database.sql, {
    merchantId: stage.api.merchantId,
    personId: person.id,
    ed25519PublicKey: Buffer.alloc(32, 9),
    role: 'reviewer',
  })
  expect((await post(id, 'clear-investigation', { reason: 'x' }, key)).status).toBe(200)
  expect((await post(id, 'refund', { reason: 'x' }, key)).status).toBe(200)
  const readOnly = await stage.api.newKey({ personId: person.id, scopes: ['read'] })
  for (const path of ['refund', 'retry', 'mark-for-investigation', 'clear-investigation']) {
    const { json } = await post(id, path, path === 'retry' ? {} : { reason: 'x' }, readOnly)
    expect(json.error.code).toBe('INSUFFICIENT_SCOPE')
  }
})

test.each([
  ['built', 'leased', {}, 'the signer has it'],
  ['built', 'signed', {}, 'the signer has answered'],
  ['signed', 'signed', { txid: '0xaa' }, 'may still be mined'],
  ['broadcast', 'signed', { txid: '0xab' }, 'may still be mined'],
  ['mined', 'signed', { txid: '0xac' }, 'is in a block'],
  // Two confirmations are required; the stranger's transaction has one.
  ['broadcast', 'signed', { txid: '0xad', conflictHeight: 100 }, 'may still be mined'],
] as const)(
  'neither releases the hold nor retries while an attempt is %s (%s)',
  async (state, request, more, reason) => {
    const before = await held()
    const id = await ask()
    await setStage(id, state === 'built' ? 'pending_signature' : 'confirming')
    await attempt(id, state, request, more)
    const { status, json } = await post(id, 'refund', { reason: 'impatient' })
    expect([status, json.error.code]).toEqual([409, 'INVALID_STATE'])
    expect(json.error.details.reason).toContain(reason)
    expect(await held()).toBeLessThan(before)
    // The hold stays even if something else ended the withdrawal wrongly.
    await setStage(id, 'failed')
    const retried = await post(id, 'retry', {})
    expect(retried.status).toBe(409)
    expect(retried.json.error.details.reason).toContain(reason)
  },
)

test("releases the hold once a stranger's use of the nonce is final, which excludes the signed attempt", async () => {
  const before = await held()
  const id = await ask()
  await setStage(id, 'confirming')
  await attempt(id, 'broadcast', 'signed', { txid: '0xae', nonce: 76, conflictHeight: 99 })
  expect((await post(id, 'refund', { reason: 'proven' })).json.data).toMatchObject({
    status: 'failed',
    failure: { code: 'REFUNDED' },
  })
  expect(await held()).toBe(before)
})

test('excludes a request that a signer took and never answered by a final transaction of our own only', async () => {
  const before = await held()
  const other = await ask()
  const id = await ask()
  await setStage(id, 'pending_signature')
  await attempt(id, 'built', 'leased', { nonce: 77, conflictHeight: 1 })
  expect((await post(id, 'refund', { reason: 'signer lost' })).status).toBe(409)
  await attempt(other, 'final', 'signed', { txid: '0xaf', nonce: 77, succeeded: true })
  expect((await post(id, 'refund', { reason: 'signer lost' })).json.data.status).toBe('failed')
  const { sql } = stage.api.database
  expect(await sql`SELECT state FROM signing_requests WHERE payout_id = ${id}`).toEqual([
    { state: 'withdrawn' },
  ])
  await post(other, 'refund', { reason: 'it is paid' })
  await sql`UPDATE attempts SET state = 'abandoned', txid = NULL WHERE payout_id = ${other}`
  await sql`UPDATE signing_requests SET state = 'withdrawn' WHERE payout_id = ${other}`
  await post(other, 'refund', { reason: 'cleaning up' })
  expect(await held()).toBe(before)
})

test('retries a failed withdrawal once, as a new withdrawal that needs new approvals', async () => {
  const id = await ask({ amount: '1.50', external_id: 'order-9', metadata: { order: 9 } })
  await stage.decide(id, stage.people[1])
  await setStage(id, 'pending_signature')
  await attempt(id, 'abandoned', 'refused')
  const { sql } = stage.api.database
  await sql`UPDATE payouts SET stage = 'failed', failure_code = 'POLICY_LIMIT' WHERE id = ${id}`
  const { status, json } = await post(id, 'retry', { priority: 'urgent' })
  expect(status).toBe(201)
  const retried = json.data
  expect(retried).toMatchObject({
    stage: 'requested',
    amount: '1.50',
    to_address: TO,
    user_reference: 'alice',
    priority: 'urgent',
    metadata: { order: 9 },
    retry_of: id,
    external_id: null,
    approvals: [],
    required_approvals: 2,
  })
  expect(retried.intent_hash).not.toBe((await stage.read(id)).intent_hash)
  expect((await stage.read(id)).retried_by).toBe(retried.id)
  const again = await post(id, 'retry', {})
  expect(again.json.error).toMatchObject({
    code: 'INVALID_STATE',
    details: { retried_by: retried.id },
  })
  // The person who retries becomes the initiator and cannot approve.
  expect((await stage.decide(retried.id, stage.people[1])).json.error.code).toBe('INITIATOR_CANNOT_APPROVE')
  await post(retried.id, 'refund', { reason: 'cleaning up' })
})

test('retries no withdrawal that is paid, waits for people, or may be paid by another transaction', async () => {
  const paid = await ask()
  await setStage(paid, 'confirmed')
  await attempt(paid, 'final', 'signed', { txid: '0xb0', succeeded: true })
  expect((await post(paid, 'retry', {})).json.error.details.reason).toContain('paid')
  // The retry is refused even if the stage says otherwise.
  await setStage(paid, 'failed')
  expect((await post(paid, 'retry', {})).json.error.details.reason).toContain('has paid it')
  const pending = await ask()
  await setStage(pending, 'pending_approval')
  expect((await post(pending, 'retry', {})).json.error.details.reason).toContain('waits for people')
  // A reverted transfer has used its nonce.
  const reverted = await ask()
  await setStage(reverted, 'reverted')
  await attempt(reverted, 'final', 'signed', { txid: '0xb1', succeeded: false })
  expect((await post(reverted, 'retry', {})).status).toBe(201)
  // The other transaction that the signer made may still be mined.
  const mismatch = await ask()
  await setStage(mismatch, 'failed')
  await attempt(mismatch, 'abandoned', 'signed')
  expect((await post(mismatch, 'retry', {})).json.error.details.reason).toContain('another transaction')
})

test('wakes an open withdrawal on a retry, and changes its fees inside its limit before it is signed', async () => {
  const { sql } = stage.api.database
  const id = await ask()
  await setStage(id, 'building')
  const woken = await post(id, 'retry', { priority: 'high' })
  expect([woken.status, woken.json.data.priority, woken.json.data.stage]).toEqual([200, 'high', 'building'])
  await setStage(id, 'pending_signature')
  await attempt(id, 'built', 'queued')
  const rebuilt = await post(id, 'retry', { priority: 'urgent' })
  expect([rebuilt.json.data.priority, rebuilt.json.data.stage]).toEqual(['urgent', 'building'])
  expect(await sql`SELECT state FROM attempts WHERE payout_id = ${id}`).toEqual([{ state: 'abandoned' }])
  await setStage(id, 'pending_signature')
  await attempt(id, 'built', 'leased')
  expect((await post(id, 'retry', { priority: 'low' })).json.error.details.reason).toContain('signer has it')
  expect((await post(id, 'retry', {})).status).toBe(200)
  await setStage(id, 'confirming')
  expect((await post(id, 'retry', { priority: 'low' })).json.error.details.reason).toContain('speed-up')
  expect((await post(id, 'retry', {})).status).toBe(200)
})

test('hands a withdrawal under investigation to no signer until it is cleared', async () => {
  const { sql } = stage.api.database
  const id = await ask()
  await setStage(id, 'pending_signature')
  const transaction = await attempt(id, 'built', 'queued')
  await sql`UPDATE attempts SET payload = '{"family": "utxo"}' WHERE id = ${transaction}`
  const { json } = await post(id, 'mark-for-investigation', { reason: 'destination looks odd' })
  expect(json.data.investigation).toMatchObject({ reason: 'destination looks odd' })
  expect((await post(id, 'mark-for-investigation', { reason: 'again' })).json.error.code).toBe(
    'INVALID_STATE',
  )
  const claim = async () =>
    (await claimRequests(sql, stage.signer.signerId, 60_000)).map((each) => each.intent.withdrawal)
  expect(await claim()).not.toContain(id)
  expect((await post(id, 'retry', {})).json.error.details.reason).toContain('under investigation')
  const raised = await sql<{ data: Record<string, unknown> }[]>`
    SELECT data FROM events WHERE type = 'exception.raised' AND subject = ${id}`
  expect(raised.map((row) => row.data)).toMatchObject([
    { kind: 'withdrawal.investigation', severity: 'critical', reason: 'destination looks odd' },
  ])
  const cleared = await post(id, 'clear-investigation', { reason: 'the customer confirmed' })
  expect(cleared.json.data.investigation).toBeNull()
  expect(await sql`SELECT FROM alerts WHERE subject = ${id} AND cleared_at IS NULL`).toHaveLength(0)
  expect(await claim()).toContain(id)
  expect(await auditOf(id)).toEqual([
    'withdrawal.requested',
    'withdrawal.marked_for_investigation',
    'withdrawal.investigation_cleared',
  ])
})

test("does not find another merchant's withdrawal", async () => {
  const id = await ask()
  const other = await stage.api.newKey({ merchantId: await stage.api.newMerchant() })
  const person = { reason: 'x' }
  for (const path of ['mark-for-investigation', 'retry']) {
    expect((await post(id, path, path === 'retry' ? {} : person, other)).json.error.code).toBe('NOT_FOUND')
  }
})
