/** Withdrawal schedules and their firings. */

import { NativeConnection, Worker } from '@temporalio/worker'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createSweeperActivities } from '../../../activities/operations/sweeper.js'
import { createScheduledWithdrawalActivities } from '../../../activities/payouts/scheduled-withdrawal.js'
import { createWithdrawalActivities } from '../../../activities/payouts/withdrawal.js'
import { withdrawalScheduleId } from '../../../temporal/ids.js'
import { createScheduleGate, createWorkflowGate } from '../../../temporal/workflow-gate.js'
import { loadWorkflowBundle } from '../../../workers/load-workflow-bundle.js'
import { storeHistory } from '../../stage/histories.js'
import { type Stage, startStage } from '../../stage/start-stage.js'
import { testNetworks } from '../../stage/test-networks.js'
import { type TestTemporal, testTemporal } from '../../support/temporal.js'

const DAY_S = 86_400
const TO = '0x742d35Cc6634C0532925a3b844Bc454e4438f44e'
const networks = testNetworks({ ETHEREUM_ENABLED: 'true' })
let temporal: TestTemporal
let stage: Stage
let stop: () => Promise<void>

beforeAll(async () => {
  temporal = await testTemporal()
  stage = await startStage({ networks, temporal })
  await stage.credit('ethereum', 'eth', '', 10n ** 20n)
  const { sql } = stage.api.database
  const connection = await NativeConnection.connect({ address: temporal.address })
  const gate = createWorkflowGate(temporal.client.workflow)
  const worker = await Worker.create({
    connection,
    namespace: temporal.namespace,
    taskQueue: 'core',
    workflowBundle: { codePath: await loadWorkflowBundle() },
    activities: {
      ...createScheduledWithdrawalActivities({ sql, networks, gate, expiryMs: 3_600_000 }),
      ...createWithdrawalActivities({ sql, networks, rebroadcastMs: 500 }),
    },
  })
  const running = worker.run()
  stop = async () => {
    worker.shutdown()
    await running
    await connection.close()
  }
})
afterAll(async () => {
  await stop?.()
  await stage?.close()
  await temporal?.close()
})

const call = (method: string, path: string, body?: unknown) =>
  stage.api.call({
    method,
    path: `/api/v1/withdrawal-schedules${path}`,
    ...(body === undefined ? {} : { body }),
    key: stage.people[0].key,
  })
const body = (change: Record<string, unknown> = {}, withdrawal: Record<string, unknown> = {}) => ({
  label: 'Payroll',
  interval_seconds: DAY_S,
  start_at: '2026-01-01T08:00:00Z',
  withdrawal: { network: 'ethereum', coin: 'eth', amount: '1.50', to_address: TO, ...withdrawal },
  ...change,
})
async function schedule(change: Record<string, unknown> = {}, withdrawal: Record<string, unknown> = {}) {
  const { status, json } = await call('POST', '', body(change, withdrawal))
  if (status !== 201) throw new Error(JSON.stringify(json))
  await until(async () => (await describe(json.data.id)) !== null)
  return json.data as { id: string }
}
const handleOf = (id: string) => temporal.client.schedule.getHandle(withdrawalScheduleId(id))
async function describe(id: string) {
  try {
    return await handleOf(id).describe()
  } catch {
    return null
  }
}
async function until<T>(look: () => Promise<T | false | undefined>): Promise<T> {
  for (let i = 0; i < 400; i++) {
    const found = await look()
    if (found) return found
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('It did not come to be')
}
interface Firing {
  nominal_at: string
  outcome: string
  withdrawal_id: string | null
  failure: { code: string } | null
}
const firingsOf = async (id: string): Promise<Firing[]> => (await call('GET', `/${id}/firings`)).json.data
const firings = (id: string, count: number) =>
  until(async () => {
    const found = await firingsOf(id)
    return found.length >= count && found
  })
const backfill = (id: string, start: string, end: string) =>
  handleOf(id).backfill({ start: new Date(start), end: new Date(end), overlap: 'ALLOW_ALL' })
/** Waits until every firing that was started has ended. */
const settled = (id: string, count: number) =>
  until(async () => {
    let ended = 0
    const query = `WorkflowType = 'scheduledWithdrawal' AND WorkflowId STARTS_WITH '${withdrawalScheduleId(id)}'`
    for await (const run of temporal.client.workflow.list({ query })) {
      if (run.status.name === 'COMPLETED') ended++
    }
    return ended >= count
  })
const sweep = () =>
  createSweeperActivities({
    sql: stage.api.database.sql,
    networks: new Map(),
    gate: createWorkflowGate(temporal.client.workflow),
    schedules: createScheduleGate(temporal.client.schedule, temporal.client.workflow),
    log: { info() {}, warn() {}, error() {} },
    signalAgainAfterMs: 60_000,
    graceMs: 0,
    nonceGapAfterMs: 600_000,
    unansweredAfterMs: 600_000,
    signerOfflineAfterMs: 60_000,
    idempotencyWindowMs: 60_000,
    webhookRetryIntervalMs: 60_000,
    webhookRetryWindowMs: 86_400_000,
  }).sweep()
const exceptionsOf = async (id: string) =>
  (
    await stage.api.database.sql<{ data: Record<string, unknown> }[]>`
      SELECT data FROM events WHERE type = 'exception.raised' AND subject = ${id} ORDER BY position`
  ).map((row) => row.data)

test('creates an ordinary withdrawal with all its controls at each firing', async () => {
  const { id } = await schedule({}, { metadata: { office: 'Lisbon' } })
  await handleOf(id).trigger()
  const [firing] = await firings(id, 1)
  expect(firing).toMatchObject({ outcome: 'created', failure: null })
  const withdrawal = await stage.until(firing?.withdrawal_id ?? '', 'pending_approval')
  expect(withdrawal).toMatchObject({
    amount: expect.stringMatching(/^1\.50?$/),
    to_address: TO,
    external_id: `${id}:${firing?.nominal_at}`,
    metadata: { office: 'Lisbon' },
    required_approvals: 2,
  })
  // The creator of the schedule is the initiator, so another person has to approve.
  const { status, json } = await stage.decide(withdrawal.id, stage.people[0])
  expect([status, json.error.code]).toEqual([403, 'INITIATOR_CANNOT_APPROVE'])
  await stage.approve(withdrawal.id)
  await stage.until(withdrawal.id, 'approved')
  expect((await call('GET', `/${id}`)).json.data).toMatchObject({
    status: 'active',
    last_firing: { outcome: 'created', withdrawal_id: withdrawal.id },
  })
  for await (const run of temporal.client.workflow.list({ query: "WorkflowType = 'scheduledWithdrawal'" })) {
    const handle = temporal.client.workflow.getHandle(run.workflowId)
    await storeHistory('scheduled-withdrawal.created', () => handle.fetchHistory())
  }
})

test('requests a withdrawal once for a time that is filled in twice, with the time as its key', async () => {
  const { id } = await schedule()
  for (let round = 1; round <= 2; round++) {
    await backfill(id, '2026-02-01T00:00:00Z', '2026-02-03T12:00:00Z')
    await settled(id, 3 * round)
  }
  const all = await firingsOf(id)
  expect(all.map((each) => each.nominal_at).sort()).toEqual([
    '2026-02-01T08:00:00.000Z',
    '2026-02-02T08:00:00.000Z',
    '2026-02-03T08:00:00.000Z',
  ])
  const made = await stage.api.database.sql`
    SELECT id FROM payouts WHERE external_id LIKE ${`${id}:%`}`
  expect(made).toHaveLength(3)
})

test('stores why a firing was refused, holds nothing, and fires again', async () => {
  const { id } = await schedule({}, { user_reference: 'poor' })
  await backfill(id, '2026-02-01T00:00:00Z', '2026-02-01T12:00:00Z')
  const [refused] = await firings(id, 1)
  expect(refused).toMatchObject({ outcome: 'refused', withdrawal_id: null })
  expect(refused?.failure).toMatchObject({
    code: 'INSUFFICIENT_BALANCE',
    details: { available: '0', coin: 'eth' },
  })
  expect(await exceptionsOf(id)).toMatchObject([
    {
      kind: 'withdrawal_schedule.firing_refused',
      nominal_at: '2026-02-01T08:00:00.000Z',
      failure: { code: 'INSUFFICIENT_BALANCE' },
    },
  ])
  expect(await stage.balance('ethereum', 'eth', 'reserved', 'poor')).toBe(0n)
  await stage.credit('ethereum', 'eth', 'poor', 10n ** 19n)
  await backfill(id, '2026-02-02T00:00:00Z', '2026-02-02T12:00:00Z')
  expect((await firings(id, 2)).map((each) => each.outcome).sort()).toEqual(['created', 'refused'])
  // Filled in again, the refused firing stays refused: its time is over.
  await backfill(id, '2026-02-01T00:00:00Z', '2026-02-01T12:00:00Z')
  await until(async () => ((await describe(id))?.info.numActionsTaken ?? 0) >= 3)
  await settled(id, 2)
  expect(await firingsOf(id)).toHaveLength(2)
})

test('fires as the rows say: by interval from its start, cron in UTC, end and pause', async () => {
  const interval = await schedule({ start_at: '2030-05-05T05:05:05Z', end_at: '2030-05-07T00:00:00Z' })
  const [first, second, ...rest] = (await describe(interval.id))?.info.nextActionTimes ?? []
  expect([first?.toISOString(), second?.toISOString(), rest.length]).toEqual([
    '2030-05-05T05:05:05.000Z',
    '2030-05-06T05:05:05.000Z',
    0,
  ])
  const cron = await schedule({
    interval_seconds: undefined,
    cron: '30 8 1 JAN-FEB *',
    start_at: '2030-01-01T00:00:00Z',
  })
  const { json } = await call('GET', `/${cron.id}`)
  expect(json.data.next_firings.slice(0, 3)).toEqual([
    '2030-01-01T08:30:00.000Z',
    '2030-02-01T08:30:00.000Z',
    '2031-01-01T08:30:00.000Z',
  ])
  const policies = (await describe(cron.id))?.policies
  expect(policies).toMatchObject({ overlap: 'SKIP', catchupWindow: 3_600_000 })

  const paused = await call('PATCH', `/${cron.id}`, { paused: true, amount: '2', label: 'Rent' })
  expect(paused.json.data).toMatchObject({
    status: 'paused',
    label: 'Rent',
    withdrawal: { amount: '2' },
  })
  await until(async () => (await describe(cron.id))?.state.paused)
  // The row decides even if Temporal does not have the change yet.
  await handleOf(cron.id).trigger()
  await settled(cron.id, 1)
  expect(await firingsOf(cron.id)).toEqual([])
  await call('PATCH', `/${cron.id}`, { paused: false })
  await until(async () => (await describe(cron.id))?.state.paused === false)
  await handleOf(cron.id).trigger()
  const [firing] = await firings(cron.id, 1)
  expect((await stage.read(firing?.withdrawal_id ?? '')).amount).toBe('2')

  expect((await call('DELETE', `/${cron.id}`)).json.data.status).toBe('removed')
  await until(async () => (await describe(cron.id)) === null)
  const { json: gone } = await call('PATCH', `/${cron.id}`, { paused: true })
  expect(gone.error.code).toBe('INVALID_STATE')
  const { json: listed } = await call('GET', '')
  expect(listed.data.map((each: { id: string }) => each.id)).not.toContain(cron.id)
})

test('creates again what Temporal lost, applies missed changes, and reports left-out firings, in a sweep', async () => {
  const { sql } = stage.api.database
  const lost = await schedule()
  await handleOf(lost.id).delete()
  await until(async () => (await describe(lost.id)) === null)
  const unheard = await schedule()
  // As if Temporal had been down when it was removed.
  await sql`
    UPDATE withdrawal_schedules SET deleted_at = now(), version = version + 1 WHERE id = ${unheard.id}`
  await sql`UPDATE withdrawal_schedules SET checked_at = NULL`
  expect((await sweep()).schedules).toBe(2)
  await until(async () => (await describe(lost.id)) !== null)
  await until(async () => (await describe(unheard.id)) === null)
  expect((await sweep()).schedules).toBe(0)

  const { recordCheck } = await import('../../../db/payouts/schedules/sync-schedules.js')
  await recordCheck(sql, lost.id, 2)
  await recordCheck(sql, lost.id, 2)
  expect(await exceptionsOf(lost.id)).toMatchObject([
    { kind: 'withdrawal_schedule.firings_missed', missed: 2 },
  ])
  expect((await call('GET', `/${lost.id}`)).json.data.missed).toBe(2)
})

test('rejects an invalid schedule and names the field', async () => {
  const refusal = async (change: Record<string, unknown>, withdrawal: Record<string, unknown> = {}) => {
    const { status, json } = await call('POST', '', body(change, withdrawal))
    return [status, json.error?.code, json.error?.details?.fields?.[0]?.path]
  }
  expect(await refusal({ cron: '* * * * *' })).toEqual([400, 'VALIDATION_FAILED', 'cron'])
  expect(await refusal({ interval_seconds: undefined })).toEqual([400, 'VALIDATION_FAILED', 'cron'])
  expect(await refusal({ interval_seconds: undefined, cron: '0 25 * * *' })).toEqual([
    400,
    'VALIDATION_FAILED',
    'cron',
  ])
  expect(await refusal({ interval_seconds: 59 })).toEqual([400, 'VALIDATION_FAILED', 'interval_seconds'])
  expect(await refusal({ end_at: '2026-01-01T07:00:00Z' })).toEqual([400, 'VALIDATION_FAILED', 'end_at'])
  expect(await refusal({}, { external_id: 'mine' })).toEqual([
    400,
    'VALIDATION_FAILED',
    'withdrawal.external_id',
  ])
  expect((await refusal({}, { to_address: 'nowhere' }))[1]).toBe('INVALID_ADDRESS')
  expect((await refusal({}, { amount: '0' }))[1]).toBe('INVALID_AMOUNT')
  const other = await stage.api.newKey({ merchantId: await stage.api.newMerchant() })
  const { id } = await schedule()
  const path = `/api/v1/withdrawal-schedules/${id}`
  for (const method of ['GET', 'DELETE']) {
    expect((await stage.api.call({ method, path, key: other })).status).toBe(404)
  }
  expect((await stage.api.call({ path: `${path}/firings`, key: other })).status).toBe(404)
})

test('puts off schedules that Temporal refuses, each with an alert, without delaying another merchant’s', async () => {
  const { sql } = stage.api.database
  const good = await schedule()
  // Temporal loses the good one, and is to be asked about five that it refuses before it.
  await handleOf(good.id).delete()
  const refused: string[] = []
  for (let index = 0; index < 5; index++) {
    const id = `wsc_refused_${index}`
    await sql`
      INSERT INTO withdrawal_schedules (id, merchant_id, label, cron, start_at, catch_up_ms, template, initiator, updated_at)
      SELECT ${id}, merchant_id, 'Refused', 'no cron', start_at, catch_up_ms, template, initiator, '2020-01-01'
      FROM withdrawal_schedules WHERE id = ${good.id}`
    refused.push(id)
  }
  await sql`UPDATE withdrawal_schedules SET synced_version = 0 WHERE id = ${good.id}`
  expect((await sweep()).schedules).toBe(1)
  expect(await describe(good.id)).not.toBeNull()
  for (const id of refused) {
    const [alert] = await exceptionsOf(id)
    expect(alert).toMatchObject({
      kind: 'stuck',
      detail: 'withdrawal_schedule.not_applied',
      severity: 'critical',
    })
    expect(String(alert?.reason)).toMatch(/cron/i)
  }
  // They wait; the next sweep has nothing to apply.
  expect((await sweep()).schedules).toBe(0)
  await sql`UPDATE withdrawal_schedules SET deleted_at = now() WHERE id = ANY (${refused})`
})

test('accepts an interval from a start before 1970', async () => {
  const made = await schedule({ interval_seconds: 61, start_at: '1969-12-31T23:59:30Z' })
  const { json } = await call('GET', `/${made.id}`)
  for (const time of json.data.next_firings as string[]) {
    expect((Date.parse(time) - Date.parse('1969-12-31T23:59:30Z')) % 61_000).toBe(0)
  }
  expect(json.data.next_firings).toHaveLength(5)
})

test('rejects a cron expression that never fires, because day of the month and day of the week must both match', async () => {
  const cron = (text: string, change: Record<string, unknown> = {}) => {
    const { interval_seconds: _, start_at: __, ...rest } = body()
    return { ...rest, cron: text, ...change }
  }
  for (const sent of [
    cron('0 0 30 2 *'),
    cron('0 8 1 1 *', { end_at: new Date(Date.now() + 60_000).toISOString() }),
  ]) {
    const { status, json } = await call('POST', '', sent)
    expect([status, json.error?.code]).toEqual([400, 'VALIDATION_FAILED'])
    expect(json.error.message).toMatch(/never fires/)
  }
  const { status, json } = await call('POST', '', cron('0 8 13 * FRI'))
  expect(status).toBe(201)
  const times = await until(async () => {
    const { next_firings } = (await call('GET', `/${json.data.id}`)).json.data
    return next_firings?.length > 0 && (next_firings as string[])
  })
  for (const time of times) expect([new Date(time).getUTCDate(), new Date(time).getUTCDay()]).toEqual([13, 5])
})

test('rejects the form of a firing’s key in requests, and lets an older withdrawal with such a key block nothing', async () => {
  const made = await schedule()
  const nominal = '2026-03-03T08:00:00Z'
  const key = `${made.id}:${new Date(nominal).toISOString()}`
  const taken = await stage.create({
    network: 'ethereum',
    coin: 'eth',
    amount: '1',
    to_address: TO,
    external_id: key,
  })
  expect([taken.status, taken.json.error?.code]).toEqual([400, 'VALIDATION_FAILED'])
  // A withdrawal from a time when that form was accepted.
  const other = await stage.create({ network: 'ethereum', coin: 'eth', amount: '1', to_address: TO })
  await stage.api.database.sql`UPDATE payouts SET external_id = ${key} WHERE id = ${other.json.data.id}`
  await backfill(made.id, '2026-03-03T07:59:00Z', '2026-03-03T08:01:00Z')
  const [firing] = await firings(made.id, 1)
  expect(firing).toMatchObject({ outcome: 'created', withdrawal_id: expect.any(String) })
  expect(firing?.withdrawal_id).not.toBe(other.json.data.id)
})

test('rejects a schedule for a wallet that is not the merchant’s', async () => {
  const { status, json } = await call('POST', '', body({}, { from_address_id: 'addr_of_nobody' }))
  expect([status, json.error?.code]).toEqual([400, 'VALIDATION_FAILED'])
})
