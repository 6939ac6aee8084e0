/**
 * Withdrawals whose address comes onto the sanctions list after the request: nothing is paid until a person
 * has reviewed it.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { parseEther } from 'viem'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { createScheduledWithdrawalActivities } from '../../activities/payouts/scheduled-withdrawal.js'
import { replaceSanctions } from '../../db/controls/sanctions/replace-sanctions.js'
import { watchWithdrawals } from '../../db/operations/alerts/watch-withdrawals.js'
import type { Networks } from '../../domain/chain/network.js'
import { DEFAULT_POLICY, type Policy } from '../../domain/controls/policy.js'
import { updatedPolicy } from '../../domain/controls/policy-change.js'
import { withdrawalId } from '../../temporal/ids.js'
import { createWorkflowGate } from '../../temporal/workflow-gate.js'
import type { Withdrawal } from '../../wire/withdrawal.js'
import { type EthereumRail, openEthereum } from '../stage/open-ethereum.js'
import { realSigner } from '../stage/real-signer.js'
import type { Stage } from '../stage/start-stage.js'

const LISTED = 'The destination came onto the sanctions list after this was asked for'
let rail: EthereumRail
let stage: Stage
let networks: Networks
let recipients = 0

beforeAll(async () => {
  rail = await openEthereum({ wei: parseEther('200'), variables: { REPLACE_AUTOMATICALLY: 'true' } })
  stage = rail.stage
  networks = stage.networks
})
beforeEach(() => sanction(''))
afterEach(async () => {
  await rail.mining(true)
  await stage.signer.stop()
})
afterAll(() => rail?.close())

const sanction = (text: string) => replaceSanctions(stage.api.database.sql, text)
const held = () => stage.balance('ethereum', 'eth', 'reserved', '')
const recipient = () =>
  `0x${(0x3000_0000_0000n + BigInt(++recipients)).toString(16).padStart(40, '4')}` as const
const received = (address: `0x${string}`) => rail.reader.getBalance({ address })
const ask = (to: string) => stage.request({ network: 'ethereum', coin: 'eth', amount: '1', to_address: to })
const post = (id: string, path: string, body: object, person = stage.people[2]) =>
  stage.api.call({ method: 'POST', path: `/api/v1/withdrawals/${id}/${path}`, body, key: person.key })
const review = async (id: string, decision: string) =>
  (await post(id, 'review', { decision, reason: 'looked at it' })).json.data?.stage
const alerts = async (id: string) =>
  (
    await stage.api.database.sql<{ kind: string }[]>`
      SELECT kind FROM alerts WHERE subject = ${id} AND cleared_at IS NULL`
  ).map(({ kind }) => kind)
const stages = (view: Withdrawal) => view.history.map((entry) => entry.stage)

/** Lists the address between the first and the second approval: neither approver can know. */
async function listedBeforeItIsBuilt(to: string): Promise<string> {
  const id = await ask(to)
  await stage.until(id, 'pending_approval')
  await stage.decide(id, stage.people[1])
  await sanction(to)
  await stage.decide(id, stage.people[2])
  await stage.until(id, 'pending_review')
  return id
}

test('sends a withdrawal that is listed before it is built to review, keeps its hold, and raises an alert', async () => {
  stage.signer.run(realSigner(stage))
  const before = await held()
  const claimed = stage.signer.claimed.length
  const id = await listedBeforeItIsBuilt(recipient())
  const view = await stage.read(id)
  expect([view.status, view.stage, view.failure, view.attempts]).toEqual([
    'pending',
    'pending_review',
    null,
    [],
  ])
  expect(view.review).toEqual({ required: true })
  expect(view.risk).toMatchObject({ score: 100, sanctioned: true })
  expect(view.risk?.factors.find((factor) => factor.name === 'destination')).toMatchObject({
    score: 100,
    reason: LISTED,
  })
  expect(view.history.at(-1)?.cause).toBe(LISTED)
  expect(view.approvals.map((approval) => approval.counts)).toEqual([true, true])
  expect(await held()).toBe(before - parseEther('1') - parseEther(view.fee_limit))
  expect(await alerts(id)).toEqual(['withdrawal.sanctioned'])
  const { sql } = stage.api.database
  const [event] = await sql<{ data: Withdrawal & { previous_status: string } }[]>`
    SELECT data FROM events WHERE subject = ${id} AND type = 'withdrawal.status_changed' ORDER BY id DESC LIMIT 1`
  expect(event?.data).toMatchObject({
    status: 'pending',
    previous_status: 'processing',
    stage: 'pending_review',
    review: { required: true },
    risk: { sanctioned: true },
  })
  const [audit] = await sql<{ data: object }[]>`
    SELECT data FROM audit_log WHERE subject = ${id} AND action = 'withdrawal.pending_review'`
  expect(audit?.data).toMatchObject({ from: 'building', to_address: view.to_address, reason: LISTED })
  const shown = await rail.temporal.client.workflow
    .getHandle(withdrawalId(id))
    .query('__temporal_workflow_metadata')
  expect(JSON.stringify(shown)).toContain('because the destination is on the sanctions list')
  expect(stage.signer.claimed).toHaveLength(claimed)

  expect(await review(id, 'reject')).toBe('rejected')
  expect(await held()).toBe(before)
  await watchWithdrawals(
    sql,
    networks,
    { large: new Map(), failures: 100, stuckFactor: 100, unusualScore: 101 },
    [],
  )
  expect(await alerts(id)).toEqual([])
}, 90_000)

test('pays with the existing approvals once a reviewer accepted the hit, without a second review', async () => {
  stage.signer.run(realSigner(stage))
  const to = recipient()
  const id = await listedBeforeItIsBuilt(to)
  // Neither its initiator, nor the approvals alone, take it on.
  expect(
    (await post(id, 'review', { decision: 'approve', reason: 'mine' }, stage.people[0])).json.error.code,
  ).toBe('INITIATOR_CANNOT_APPROVE')
  expect(await received(to)).toBe(0n)
  expect(await review(id, 'approve')).toBe('pending_approval')
  const view = await stage.until(id, 'confirmed')
  expect(stages(view).filter((each) => each === 'pending_review')).toHaveLength(1)
  expect(view.review).toMatchObject({ required: true, decision: 'approve', reason: 'looked at it' })
  expect(view.approvals).toHaveLength(2)
  expect(await received(to)).toBe(parseEther('1'))
}, 90_000)

test('reviews again what was reviewed for another reason, when its destination comes onto the list', async () => {
  stage.signer.run(realSigner(stage))
  const to = recipient()
  const { sql } = stage.api.database
  const { merchantId } = stage.api
  const setPolicy = (version: number, policy: Policy) =>
    sql`
      INSERT INTO policies (merchant_id, version, policy)
      VALUES (${merchantId}, ${version}, ${sql.json(policy as never)})`
  await setPolicy(1, updatedPolicy(DEFAULT_POLICY, { risk: { threshold: 1 } }))
  const id = await ask(to)
  await setPolicy(2, DEFAULT_POLICY)
  await stage.until(id, 'pending_review')
  expect(await review(id, 'approve')).toBe('pending_approval')
  await sanction(to)
  await stage.approve(id)
  const again = await stage.untilView(
    id,
    (view) => view.stage === 'pending_review' && view.risk?.sanctioned === true,
  )
  expect(again.review).toEqual({ required: true })
  expect(await review(id, 'approve')).toBe('pending_approval')
  await stage.until(id, 'confirmed')
}, 90_000)

test('pays what was on the list at the request, and was accepted', async () => {
  stage.signer.run(realSigner(stage))
  const to = recipient()
  await sanction(to)
  const id = await ask(to)
  await stage.until(id, 'pending_review')
  expect(await review(id, 'approve')).toBe('pending_approval')
  await stage.approve(id)
  const view = await stage.until(id, 'confirmed')
  expect(stages(view).filter((each) => each === 'pending_review')).toHaveLength(1)
}, 90_000)

test('holds the withdrawal of a schedule like any other when its destination is listed after the firing', async () => {
  stage.signer.run(realSigner(stage))
  const to = recipient()
  const { status, json } = await stage.api.call({
    method: 'POST',
    path: '/api/v1/withdrawal-schedules',
    key: stage.people[0].key,
    body: {
      label: 'Rent',
      interval_seconds: 86_400,
      start_at: '2026-01-01T08:00:00Z',
      withdrawal: { network: 'ethereum', coin: 'eth', amount: '1', to_address: to },
    },
  })
  expect(status).toBe(201)
  const { fireSchedule } = createScheduledWithdrawalActivities({
    sql: stage.api.database.sql,
    networks,
    gate: createWorkflowGate(rail.temporal.client.workflow),
    expiryMs: 3_600_000,
  })
  const firing = await fireSchedule(json.data.id, '2026-01-02T08:00:00.000Z')
  if (firing.outcome !== 'created') throw new Error(JSON.stringify(firing))
  await sanction(to)
  await stage.approve(firing.withdrawalId)
  await stage.until(firing.withdrawalId, 'pending_review')
  expect(await received(to)).toBe(0n)
}, 90_000)

test('does not hand out a request that no signer has claimed, and sends it to review', async () => {
  const to = recipient()
  const id = await ask(to)
  await stage.approve(id)
  await stage.until(id, 'pending_signature')
  await sanction(to)
  const other = await ask(recipient())
  await stage.approve(other)
  await stage.until(other, 'pending_signature')
  // The request behind it in the queue of its wallet is handed out in its place.
  const { requests } = await stage.signer.claim(1)
  expect(requests.map((request) => request.intent.withdrawal)).toEqual([other])
  const view = await stage.until(id, 'pending_review')
  expect(view.attempts.map((attempt) => attempt.state)).toEqual(['abandoned'])
  stage.signer.run(realSigner(stage))
  for (const request of requests) {
    await stage.signer.answer({ request_id: request.id, ...(await stage.signer.sign(request.payload)) })
  }
  await stage.until(other, 'confirmed')
  expect(await received(to)).toBe(0n)
}, 90_000)

test('speeds up nothing that is sent already, neither on request nor automatically, and lets it be cancelled', async () => {
  stage.signer.run(realSigner(stage))
  const to = recipient()
  const before = await held()
  await rail.mining(false)
  const id = await ask(to)
  await stage.approve(id)
  await stage.until(id, 'confirming')
  await sanction(to)
  const claimed = stage.signer.claimed.length
  const speedUp = await post(id, 'speed-up', {})
  expect([speedUp.status, speedUp.json.error]).toMatchObject([
    409,
    { code: 'INVALID_STATE', details: { reason: 'SANCTIONED' } },
  ])
  // It counts as stuck after two seconds.
  const waiting = await stage.untilView(id, (view) => view.waiting?.code === 'SANCTIONED')
  expect(waiting.waiting?.message).toContain('cancel-transaction')
  expect(await alerts(id)).toEqual(['withdrawal.sanctioned'])
  await sleep(4_000)
  expect(stage.signer.claimed).toHaveLength(claimed)
  expect((await post(id, 'cancel-transaction', { reason: 'it is listed' })).status).toBe(200)
  await stage.untilView(
    id,
    (view) => view.attempts[0]?.purpose === 'cancel' && view.attempts[0].state === 'broadcast',
  )
  await rail.mining(true)
  await stage.until(id, 'cancelled')
  expect(await received(to)).toBe(0n)
  expect(await held()).toBe(before)
}, 120_000)
