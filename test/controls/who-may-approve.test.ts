/**
 * Four eyes: a person never approves a payout that the person shaped, and only registered approvers count.
 */

import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { advanceControlChange } from '../../db/controls/changes/advance-control-change.js'
import { createApprover } from '../../db/merchants/create-approver.js'
import { advanceWithdrawal } from '../../db/payouts/advance-withdrawal.js'
import { advanceBatch } from '../../db/payouts/batches/advance-batch.js'
import { fireSchedule } from '../../db/payouts/schedules/fire-schedule.js'
import type { TestPerson } from '../stage/people.js'
import { type Stage, startStage } from '../stage/start-stage.js'
import { testNetworks } from '../stage/test-networks.js'

const TO = '0x742d35Cc6634C0532925a3b844Bc454e4438f44e'
const networks = testNetworks({ ETHEREUM_ENABLED: 'true' })
let stage: Stage

beforeAll(async () => {
  stage = await startStage({ networks })
  await stage.credit('ethereum', 'eth', '', 10n ** 20n)
})
afterAll(() => stage?.close())

const call = (method: string, path: string, body: unknown, person: TestPerson) =>
  stage.api.call({ method, path: `/api/v1${path}`, ...(body === undefined ? {} : { body }), key: person.key })
const withdrawal = (amount: string) => ({ network: 'ethereum', coin: 'eth', amount, to_address: TO })

async function schedule(person: TestPerson): Promise<string> {
  const body = {
    label: 'Rent',
    interval_seconds: 86_400,
    start_at: '2026-01-01T08:00:00Z',
    withdrawal: withdrawal('0.001'),
  }
  const { status, json } = await call('POST', '/withdrawal-schedules', body, person)
  expect(status).toBe(201)
  return json.data.id
}

async function fire(id: string, at: string): Promise<string> {
  const options = { expiryMs: 3_600_000, screen: false }
  const firing = await fireSchedule(stage.api.database.sql, networks, id, new Date(at), options)
  if (firing.outcome !== 'created') throw new Error(JSON.stringify(firing))
  await advanceWithdrawal(stage.api.database.sql, networks, firing.withdrawalId, new Date())
  return firing.withdrawalId
}
const errorOf = async (answer: Promise<{ status: number; json: { error?: { code: string } } }>) =>
  (await answer).json.error?.code

test('makes a person who changes what a schedule pays an initiator, who approves none of its withdrawals', async () => {
  const [maker, editor, other] = stage.people
  const fourth = await stage.newPerson('fourth')
  const id = await schedule(maker)
  const before = await fire(id, '2026-02-01T08:00:00Z')
  expect((await call('PATCH', `/withdrawal-schedules/${id}`, { amount: '0.5' }, editor)).status).toBe(200)
  const after = await fire(id, '2026-02-02T08:00:00Z')

  // Withdrawals from before the change have the maker of the schedule as their only initiator.
  expect((await stage.decide(before, editor)).status).toBe(201)
  expect(await errorOf(stage.decide(after, editor))).toBe('INITIATOR_CANNOT_APPROVE')
  expect(await errorOf(stage.decide(after, maker))).toBe('INITIATOR_CANNOT_APPROVE')
  const intent = (await call('GET', `/withdrawals/${after}/intent`, undefined, other)).json.data.intent
  expect(intent).toMatchObject({ initiator: maker.id, co_initiators: [editor.id] })
  expect((await call('GET', `/withdrawal-schedules/${id}`, undefined, other)).json.data).toMatchObject({
    initiator: maker.id,
    co_initiators: [editor.id],
  })

  for (const person of [other, fourth]) expect((await stage.decide(after, person)).status).toBe(201)
  await advanceWithdrawal(stage.api.database.sql, networks, after, new Date())
  expect((await stage.read(after)).stage).toBe('approved')
})

test('does not count an initiator’s approval that is in the table', async () => {
  const [maker, editor, other] = stage.people
  const id = await schedule(maker)
  await call('PATCH', `/withdrawal-schedules/${id}`, { priority: 'urgent' }, editor)
  const withdrawal = await fire(id, '2026-02-01T08:00:00Z')
  expect((await stage.decide(withdrawal, other)).status).toBe(201)
  const { sql } = stage.api.database
  await sql`
    INSERT INTO approvals (id, merchant_id, subject_type, subject_id, person_id, approver_id, decision, intent_hash, signed_at, signature)
    SELECT 'apv_forged', merchant_id, subject_type, subject_id, ${editor.id}, ${editor.approverId}, decision, intent_hash,
           signed_at, signature FROM approvals WHERE subject_id = ${withdrawal}`
  await advanceWithdrawal(sql, networks, withdrawal, new Date())
  expect((await stage.read(withdrawal)).stage).toBe('pending_approval')
})

test('makes no initiator by a change that leaves the payout as it was', async () => {
  const [maker, editor] = stage.people
  const id = await schedule(maker)
  for (const change of [
    { label: 'Rent of May' },
    { paused: true },
    { paused: false },
    { amount: '0.0010' },
  ]) {
    expect((await call('PATCH', `/withdrawal-schedules/${id}`, change, editor)).status).toBe(200)
  }
  const withdrawal = await fire(id, '2026-02-01T08:00:00Z')
  expect((await stage.decide(withdrawal, editor)).status).toBe(201)
})

test('keeps the initiator of a withdrawal that is retried', async () => {
  const [asker, retrier, other] = stage.people
  const first = (await stage.create(withdrawal('0.01'))).json.data.id
  const { sql } = stage.api.database
  await advanceWithdrawal(sql, networks, first, new Date())
  await stage.decide(first, other, 'reject')
  await advanceWithdrawal(sql, networks, first, new Date())
  const admin = await stage.api.newKey({ personId: retrier.id })
  const retried = await stage.api.call({
    method: 'POST',
    path: `/api/v1/withdrawals/${first}/retry`,
    body: {},
    key: admin,
  })
  expect(retried.json.error).toBeUndefined()
  const { id } = retried.json.data
  expect(id).not.toBe(first)
  expect(await errorOf(stage.decide(id, asker))).toBe('INITIATOR_CANNOT_APPROVE')
  expect(await errorOf(stage.decide(id, retrier))).toBe('INITIATOR_CANNOT_APPROVE')
  expect((await stage.decide(id, other)).status).toBe(201)
})

test('does not count the approval of an approver who was removed before the threshold was met', async () => {
  const { sql } = stage.api.database
  const [, first, second] = stage.people
  const third = await stage.newPerson('third')
  const remove = (person: TestPerson) =>
    sql`UPDATE approvers SET revoked_at = now() WHERE id = ${person.approverId}`
  const restore = (person: TestPerson) =>
    sql`UPDATE approvers SET revoked_at = NULL WHERE id = ${person.approverId}`

  const { id } = (await stage.create(withdrawal('0.02'))).json.data
  await advanceWithdrawal(sql, networks, id, new Date())
  await stage.decide(id, first)
  await remove(first)
  expect((await stage.decide(id, second)).status).toBe(201)
  await advanceWithdrawal(sql, networks, id, new Date())
  const waiting = await stage.read(id)
  expect(waiting.stage).toBe('pending_approval')
  expect(waiting.approvals.map((each) => [each.person_id, each.counts])).toEqual([
    [first.id, false],
    [second.id, true],
  ])
  expect((await stage.decide(id, third)).status).toBe(201)
  await advanceWithdrawal(sql, networks, id, new Date())
  expect((await stage.read(id)).stage).toBe('approved')
  // A withdrawal that met the threshold goes on to the signer, also if one of its approvers is removed later.
  await remove(third)
  expect((await stage.read(id)).approvals.filter((each) => each.counts)).toHaveLength(2)
  await restore(first)
  await restore(third)

  const batch = (
    await stage.createBatch({
      batch_withdrawal: { network: 'ethereum', coin: 'eth', outputs: [{ to_address: TO, amount: '0.01' }] },
    })
  ).json.data
  await advanceBatch(sql, networks, batch.id, new Date())
  await stage.decide(batch.id, first)
  await remove(first)
  await stage.decide(batch.id, second)
  await advanceBatch(sql, networks, batch.id, new Date())
  expect((await stage.readBatch(batch.id)).stage).toBe('pending_approval')
  await restore(first)

  const change = (await call('PUT', '/policy', { risk: { threshold: 70 } }, stage.people[0])).json.data
  const entry = (
    await call(
      'POST',
      '/whitelist/addresses',
      { address: TO, network: 'ethereum', label: 'Ours' },
      stage.people[0],
    )
  ).json.data
  for (const subject of [change.id, entry.id]) {
    await stage.decide(subject, first)
    await remove(first)
    expect((await stage.decide(subject, second)).status).toBe(201)
    expect((await advanceControlChange(sql, networks, subject, new Date())).state).toBe('pending_approval')
    await restore(first)
  }
})

test('counts a new decision of a person whose key was removed, with the new key', async () => {
  const { sql } = stage.api.database
  const [, first, second] = stage.people
  const { id } = (await stage.create(withdrawal('0.03'))).json.data
  await advanceWithdrawal(sql, networks, id, new Date())
  await stage.decide(id, first)
  expect(await errorOf(stage.decide(id, first))).toBe('ALREADY_DECIDED')
  await sql`UPDATE approvers SET revoked_at = now() WHERE id = ${first.approverId}`
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const approverId = await createApprover(sql, {
    merchantId: stage.api.merchantId,
    personId: first.id,
    ed25519PublicKey: publicKey.export({ format: 'der', type: 'spki' }).subarray(-32),
  })
  expect((await stage.decide(id, { ...first, approverId, privateKey })).status).toBe(201)
  expect((await stage.decide(id, second)).status).toBe(201)
  await advanceWithdrawal(sql, networks, id, new Date())
  expect((await stage.read(id)).stage).toBe('approved')
})
