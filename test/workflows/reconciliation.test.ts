/** The workflow of a reconciliation on a real Temporal: killed half-way, in turn, and started by a Schedule. */

import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { scheduleReconciliations } from '../../activities/operations/schedule-reconciliations.js'
import type { SweeperDependencies } from '../../activities/operations/sweeper-dependencies.js'
import { readRun } from '../../db/books/reconciliation/read-run.js'
import { reconciliationId, reconciliationScheduleId } from '../../temporal/ids.js'
import { createScheduleGate } from '../../temporal/workflow-gate.js'
import { recordedHistories, replayHistory, storeHistory } from '../stage/histories.js'
import { startTestApi, type TestApi } from '../stage/test-api.js'
import { type TestTemporal, testTemporal } from '../support/temporal.js'

let temporal: TestTemporal
let api: TestApi
const workers: ChildProcess[] = []

beforeAll(async () => {
  temporal = await testTemporal()
  api = await startTestApi({}, { temporal: { workflow: temporal.client.workflow } })
}, 60_000)
afterAll(async () => {
  for (const worker of workers) worker.kill('SIGKILL')
  await temporal?.close()
  await api?.database.drop()
})

function startWorker(): ChildProcess {
  const worker = spawn(
    process.execPath,
    [
      '--import',
      'tsx',
      'test/books/reconciliation-worker.ts',
      api.database.url,
      temporal.address,
      temporal.namespace,
    ],
    { stdio: 'ignore' },
  )
  workers.push(worker)
  return worker
}

const start = async (scope = ['orders', 'internal'], key = api.key) => {
  const path = '/api/v1/reconciliation/runs'
  const { status, json } = await api.call({ method: 'POST', path, body: { scope }, key })
  expect(status).toBe(201)
  return json.data.id as string
}
const read = async (id: string) => (await api.call({ path: `/api/v1/reconciliation/runs/${id}` })).json.data
const handleOf = (id: string) => temporal.client.workflow.getHandle(reconciliationId(id))
async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(50)
}

test('goes on where a killed worker was, repeats no check, and a second run waits for it', async () => {
  const { sql } = api.database
  // A check in the middle waits for this table until the worker is dead.
  const holder = await sql.reserve()
  await holder`BEGIN`
  await holder`LOCK TABLE webhook_endpoints IN ACCESS EXCLUSIVE MODE`
  const first = startWorker()
  const id = await start()
  const waiting = () => sql`
    SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
  await until(async () => (await waiting()).length > 0)
  const half = await read(id)
  expect(half.status).toBe('running')
  expect(half.progress).toBeGreaterThan(0)
  expect(half.progress).toBeLessThan(1)
  const done = half.checks.map((check: { name: string }) => check.name)
  expect(done).toContain('event_sequence')
  expect(done).not.toContain('deliveries')
  const ended = () => sql<{ name: string; finished_at: Date }[]>`
    SELECT name, finished_at FROM reconciliation_checks WHERE run_id = ${id} AND finished_at IS NOT NULL ORDER BY place`
  const before = await ended()
  first.kill('SIGKILL')
  const second = await start()
  startWorker()
  await holder`ROLLBACK`
  holder.release()
  await handleOf(id).result()
  await handleOf(second).result()
  expect(await read(id)).toMatchObject({ status: 'clean', progress: 1 })
  expect((await ended()).slice(0, before.length)).toEqual(before)
  const [one, two] = [await read(id), await read(second)]
  expect(two).toMatchObject({ status: 'clean' })
  expect(Date.parse(two.finished_at)).toBeGreaterThanOrEqual(Date.parse(one.finished_at))
  await storeHistory('reconciliation.killed', () => handleOf(id).fetchHistory())
  await storeHistory('reconciliation.waited', () => handleOf(second).fetchHistory())
}, 120_000)

test('is started once by each firing of a Schedule, which the sweeper keeps', async () => {
  const { sql } = api.database
  const schedules = createScheduleGate(temporal.client.schedule, temporal.client.workflow)
  const sweep = (reconciliationIntervalMs: number) =>
    scheduleReconciliations({
      sql,
      schedules,
      reconciliationIntervalMs,
      log: { warn() {} },
    } as unknown as SweeperDependencies)
  expect(await sweep(86_400_000)).toBe(1)
  expect(await sweep(86_400_000)).toBe(0)
  const schedule = temporal.client.schedule.getHandle(reconciliationScheduleId(api.merchantId))
  expect((await schedule.describe()).spec.intervals?.[0]?.every).toBe(86_400_000)
  await schedule.trigger()
  const fired = () => sql<{ id: string }[]>`SELECT id FROM reconciliation_runs WHERE cause = 'schedule'`
  await until(async () => (await fired()).length > 0)
  const id = (await fired())[0]?.id ?? ''
  await until(async () => {
    const run = await readRun(sql, api.merchantId, id)
    return run?.status !== 'running'
  })
  expect(await read(id)).toMatchObject({ status: 'clean', cause: 'schedule' })
  const actions = (await schedule.describe()).info.recentActions
  const { workflowId } = actions[0]?.action.workflow ?? { workflowId: '' }
  await storeHistory('scheduled-reconciliation.fired', () =>
    temporal.client.workflow.getHandle(workflowId).fetchHistory(),
  )
  expect(await sweep(3_600_000)).toBe(1)
  expect((await schedule.describe()).spec.intervals?.[0]?.every).toBe(3_600_000)
  expect(await sweep(0)).toBe(1)
  await expect(schedule.describe()).rejects.toThrow()
  expect(await sweep(0)).toBe(0)
}, 120_000)

test('ends a short run while comparisons of other merchants hold all their slots', async () => {
  const { sql } = api.database
  const others = await Promise.all([1, 2].map(() => api.newMerchant()))
  for (const [index, merchant] of others.entries()) await api.enrol(merchant, Buffer.alloc(64, index + 1))
  // Each comparison waits at its first statement, as one would for a slow node.
  const holder = await sql.reserve()
  await holder`BEGIN`
  await holder`LOCK TABLE chain_audits IN ACCESS EXCLUSIVE MODE`
  startWorker()
  const long: string[] = []
  for (const merchantId of others) long.push(await start(['chain'], await api.newKey({ merchantId })))
  const waiting = async () => {
    const [row] = await sql<{ count: number }[]>`
      SELECT count(*)::integer AS count FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%chain_audits%'`
    return row?.count
  }
  await until(async () => (await waiting()) === 2)
  const short = await start()
  await until(async () => (await read(short)).status === 'clean')
  expect(await waiting()).toBe(2)
  for (const id of long) await handleOf(id).terminate()
  await holder`ROLLBACK`
  holder.release()
}, 120_000)

test.each(recordedHistories('reconciliation', 'scheduled-reconciliation'))('replays %s', async (name) => {
  await replayHistory(name)
})
