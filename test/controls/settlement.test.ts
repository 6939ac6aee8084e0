/** Who may pause settlement, who ends a pause, and what else it stops. */

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { beginSend, endSend } from '../../db/controls/pauses/begin-send.js'
import { requestResume } from '../../db/controls/pauses/resume-settlement.js'
import { createOperatorKey } from '../../db/merchants/operator.js'
import { fireSchedule } from '../../db/payouts/schedules/fire-schedule.js'
import { askToResume, endPauses, pauseSettlement } from '../stage/settlement.js'
import { type Controls, startControls } from '../stage/start-controls.js'
import type { Stage } from '../stage/start-stage.js'
import { type ApiKeyPair, MASTER_KEY } from '../stage/test-api.js'

const TO = '0x742d35Cc6634C0532925a3b844Bc454e4438f44e'
const ANYWHERE = { ipAllowlist: ['0.0.0.0/0', '::/0'] }
let controls: Controls
let stage: Stage
let operators: [ApiKeyPair, ApiKeyPair]
beforeAll(async () => {
  controls = await startControls()
  stage = controls.stage
  const { sql } = stage.api.database
  operators = [
    await createOperatorKey(sql, MASTER_KEY, { name: 'first', ...ANYWHERE }),
    await createOperatorKey(sql, MASTER_KEY, { name: 'second', ...ANYWHERE }),
  ]
  await stage.credit('ethereum', 'eth', '', 10n ** 20n)
  await stage.credit('ethereum', 'usdt', '', 10n ** 12n)
})
afterAll(() => controls?.close())
beforeEach(async () => {
  const { sql } = stage.api.database
  await endPauses(stage)
  await sql`UPDATE control_changes SET state = 'revoked' WHERE kind = 'settlement_resume' AND state = 'pending_approval'`
})

const settlement = async () => (await controls.call('GET', '/settlement')).json.data
const operate = (path: string, body: unknown, key = operators[0]) =>
  stage.api.call({ method: 'POST', path: `/api/v1/admin/settlement/${path}`, body, key })
const ask = (coin: string) => stage.request({ network: 'ethereum', coin, amount: '1', to_address: TO })

test('is open to the scope admin and to people of finance and security, and to no one else', async () => {
  const { sql } = stage.api.database
  const press = async (key: ApiKeyPair) =>
    (
      await stage.api.call({
        method: 'POST',
        path: '/api/v1/settlement/pause',
        body: { reason: 'a drill' },
        key,
      })
    ).status
  expect(await press(await stage.api.newKey({ scopes: ['read', 'approvals'] }))).toBe(403)
  for (const [role, status] of [
    ['viewer', 403],
    ['finance', 200],
    ['security', 200],
  ] as const) {
    const person = await stage.newPerson(role)
    await sql`UPDATE approvers SET role = ${role} WHERE person_id = ${person.id}`
    const key = await stage.api.newKey({ personId: person.id, scopes: ['read', 'approvals'] })
    expect([role, await press(key)]).toEqual([role, status])
  }
})

test('changes nothing when it is paused twice, but revokes a resumption that waits', async () => {
  const first = (await pauseSettlement(stage)).json.data
  expect((await pauseSettlement(stage, 'again')).json.data).toEqual(first)
  const waiting = await askToResume(stage)
  expect((await settlement()).approval.path).toBe(`/settlement/resumptions/${waiting}`)
  expect((await pauseSettlement(stage, 'no')).json.data).toEqual(first)
  const { status, json } = await stage.decide(waiting, stage.people[1])
  expect([status, json.error.code]).toEqual([409, 'ALREADY_DECIDED'])
})

test('ends after two approvals by others, and not after one, a rejection, or the asker’s own', async () => {
  await pauseSettlement(stage)
  const [initiator, first, second] = stage.people
  const rejected = await askToResume(stage)
  expect((await stage.decide(rejected, initiator)).json.error.code).toBe('INITIATOR_CANNOT_APPROVE')
  await stage.decide(rejected, first)
  await stage.decide(rejected, second, 'reject')
  await controls.until(async () => (await settlement()).approval === null)
  expect(await settlement()).toMatchObject({ paused: true })
  const approved = await askToResume(stage)
  await stage.approve(approved)
  await controls.until(async () => !(await settlement()).paused)
  const { json } = await controls.call('POST', '/settlement/resume', { reason: 'again' })
  expect(json.error.code).toBe('INVALID_STATE')
  const audit = await stage.api.database.sql<{ action: string }[]>`
    SELECT action FROM audit_log WHERE action LIKE 'settlement.%' ORDER BY position DESC LIMIT 1`
  expect(audit).toEqual([{ action: 'settlement.resumed' }])
})

test('waits for no transaction that holds a payout, neither in a pause nor before sending', async () => {
  const { sql } = stage.api.database
  const id = await ask('eth')
  await sql.begin(async (tx) => {
    await tx`SELECT FROM payouts WHERE id = ${id} FOR UPDATE`
    const begun = await beginSend(sql, id)
    expect(begun.pause).toBe(null)
    const pressed = pauseSettlement(stage)
    await controls.until(async () => (await settlement()).paused)
    expect(await settlement()).toMatchObject({ sending: 1 })
    expect((await beginSend(sql, id)).pause).toMatchObject({ reason: 'a laptop was stolen' })
    await endSend(sql, begun.note ?? '')
    expect((await pressed).json.data).toMatchObject({ sending: 0 })
  })
})

test('revokes a resumption also if it is asked for while the button is pressed again', async () => {
  const { sql } = stage.api.database
  await pauseSettlement(stage)
  let pressed: ReturnType<typeof pauseSettlement> | null = null
  const { resumption } = await sql.begin(async (tx) => {
    const asked = await requestResume(tx, {
      merchantId: stage.api.merchantId,
      reason: 'it was found',
      initiator: stage.people[0].id,
      actor: 'person:test',
      expiryMs: 60_000,
    })
    pressed = pauseSettlement(stage, 'again')
    await controls.until(async () => {
      const waiting =
        await sql`SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%settlement_pauses%'`
      return waiting.length > 0
    })
    return asked
  })
  expect(await pressed).toMatchObject({ status: 200 })
  const [row] = await sql`SELECT state FROM control_changes WHERE id = ${resumption}`
  expect(row?.state).toBe('revoked')
})

test('stops one rail or everything for an operator, whose pause only operators end', async () => {
  const rail = await operate('pause', { reason: 'a bad token', network: 'ethereum', coin: 'usdt' })
  expect(rail.json.data).toMatchObject({ placed_by: 'operator', merchant_id: null, coin: 'usdt' })
  const [usdt, eth] = [await ask('usdt'), await ask('eth')]
  expect((await stage.read(usdt)).waiting).toMatchObject({ code: 'SETTLEMENT_PAUSED', reason: 'a bad token' })
  expect((await stage.read(eth)).waiting).toBe(null)
  expect((await controls.call('POST', '/settlement/resume', { reason: 'x' })).json.error.code).toBe(
    'INVALID_STATE',
  )
  const end = { id: rail.json.data.id, reason: 'it was checked' }
  expect((await operate('resume', end)).json.data).toMatchObject({ votes: 1, required: 2, ended: false })
  expect((await operate('resume', end)).json.data).toMatchObject({ votes: 1, ended: false })
  // A second pause takes back the votes.
  await operate('pause', { reason: 'not yet', network: 'ethereum', coin: 'usdt' })
  expect((await operate('resume', end, operators[1])).json.data).toMatchObject({ votes: 1, ended: false })
  expect((await operate('resume', end)).json.data).toMatchObject({ votes: 2, ended: true })
  expect((await stage.read(usdt)).waiting).toBe(null)
  const everything = (await operate('pause', { reason: 'everything' })).json.data.id
  expect((await stage.read(eth)).waiting).toMatchObject({ reason: 'everything' })
  // Neither a vote of long ago counts, nor one of a key that was revoked since.
  const { sql } = stage.api.database
  await operate('resume', { id: everything, reason: 'x' }, operators[1])
  await sql`UPDATE settlement_resume_votes SET voted_at = now() - interval '8 days'`
  expect((await operate('resume', { id: everything, reason: 'x' })).json.data).toMatchObject({ votes: 1 })
  const thief = await createOperatorKey(sql, MASTER_KEY, { name: 'thief', ...ANYWHERE })
  await operate('pause', { reason: 'again' })
  await operate('resume', { id: everything, reason: 'x' }, thief)
  await sql`UPDATE api_keys SET revoked_at = now() WHERE id = ${thief.id}`
  expect((await operate('resume', { id: everything, reason: 'x' })).json.data).toMatchObject({ votes: 1 })
  const listed = await stage.api.call({ path: '/api/v1/admin/settlement', key: operators[0] })
  expect(listed.json.data).toMatchObject([{ reason: 'everything', merchant_id: null, sending: 0 }])
})

test('stops one merchant for an operator, and no other', async () => {
  const { merchantId } = stage.api
  await operate('pause', { reason: 'elsewhere', merchant_id: await stage.api.newMerchant() })
  expect(await settlement()).toMatchObject({ paused: false, pauses: [] })
  await operate('pause', { reason: 'here', merchant_id: merchantId })
  expect(await settlement()).toMatchObject({ paused: true, pauses: [{ reason: 'here' }] })
})

test.each([
  [{ reason: '' }, 400],
  [{ reason: 'x', coin: 'eth' }, 400],
  [{ reason: 'x', network: 'nowhere' }, 422],
  [{ reason: 'x', network: 'ethereum', coin: 'nothing' }, 422],
  [{ reason: 'x', merchant_id: 'mer_none' }, 404],
  [{ reason: 'x', merchant_id: 'operator' }, 404],
  [{ reason: 'x', everything: true }, 400],
])('refuses the operator’s pause %j with %i', async (body, status) => {
  expect((await operate('pause', body)).status).toBe(status)
})

test('refuses the firing of a schedule, and says why', async () => {
  const { json } = await controls.call('POST', '/withdrawal-schedules', {
    label: 'Payroll',
    interval_seconds: 86_400,
    start_at: '2026-01-01T08:00:00Z',
    withdrawal: { network: 'ethereum', coin: 'eth', amount: '1', to_address: TO },
  })
  await pauseSettlement(stage)
  const { sql } = stage.api.database
  const fire = (day: string) =>
    fireSchedule(sql, stage.networks, json.data.id, new Date(day), { expiryMs: 3_600_000, screen: false })
  expect(await fire('2026-01-02T08:00:00Z')).toMatchObject({ outcome: 'refused', code: 'SETTLEMENT_PAUSED' })
  await endPauses(stage)
  // The time that was refused is not paid later.
  expect(await fire('2026-01-02T08:00:00Z')).toMatchObject({ outcome: 'refused' })
  expect(await fire('2026-01-03T08:00:00Z')).toMatchObject({ outcome: 'created' })
})
