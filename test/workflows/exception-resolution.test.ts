/**
 * The workflow of an exception's resolution on a real Temporal, with workers that are killed between the proposal, the
 * two approvals and the posting: it posts once, or nothing after a rejection or its expiry.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { raiseException } from '../../db/books/exceptions/raise-exception.js'
import { rememberCoins } from '../../db/chain/remember-coins.js'
import { newId } from '../../db/new-id.js'
import type { Decision } from '../../domain/controls/approval.js'
import { controlChangeId } from '../../temporal/ids.js'
import { recordedHistories, replayHistory, storeHistory } from '../stage/histories.js'
import { sendDecision } from '../stage/people.js'
import { type Stage, startStage } from '../stage/start-stage.js'
import { testNetworks } from '../stage/test-networks.js'
import { type TestTemporal, testTemporal } from '../support/temporal.js'

const ETHER = 10n ** 18n
const networks = testNetworks({ ETHEREUM_ENABLED: 'true' })
let temporal: TestTemporal
let stage: Stage
const workers: ChildProcess[] = []

beforeAll(async () => {
  temporal = await testTemporal()
  stage = await startStage({ networks, temporal })
  await rememberCoins(sql(), networks)
  await stage.credit('ethereum', 'eth', '', 100n * ETHER)
}, 60_000)
afterEach(() => killWorkers())
afterAll(async () => {
  killWorkers()
  await stage?.close()
  await temporal?.close()
})

const sql = () => stage.api.database.sql

function startWorker(): ChildProcess {
  const { url } = stage.api.database
  const script = 'test/books/resolution-worker.ts'
  const worker = spawn(
    process.execPath,
    ['--import', 'tsx', script, url, temporal.address, temporal.namespace],
    { stdio: 'ignore' },
  )
  workers.push(worker)
  return worker
}

function killWorkers(): void {
  for (const worker of workers.splice(0)) worker.kill('SIGKILL')
}

/** Raises an exception and proposes to credit a user. @returns The user, the exception and the workflow. */
async function propose() {
  const user = newId('evt')
  await stage.api.call({
    method: 'POST',
    path: '/api/v1/addresses',
    body: { user_reference: user, network: 'ethereum' },
  })
  const id = await sql().begin((tx) =>
    raiseException(tx, {
      merchantId: stage.api.merchantId,
      kind: 'drift',
      cause: newId('evt'),
      subject: { type: 'address', id: newId('addr') },
      reason: 'The books differ',
      expected: '2',
      actual: '1',
    }),
  )
  const { status } = await stage.api.call({
    method: 'POST',
    path: `/api/v1/exceptions/${id}/resolve`,
    key: stage.people[0].key,
    body: {
      resolution: 'credit',
      comment: 'As agreed',
      journal: {
        from_user_reference: null,
        to_user_reference: user,
        network: 'ethereum',
        coin: 'eth',
        amount: '1',
      },
    },
  })
  expect(status).toBe(202)
  const [row] = await sql()<{ change_id: string }[]>`SELECT change_id FROM exceptions WHERE id = ${id}`
  const change = row?.change_id ?? ''
  const handle = temporal.client.workflow.getHandle(controlChangeId('exception_resolution', change))
  return { user, id: id ?? '', change, handle }
}

const decide = async (id: string, person: 1 | 2, decision: Decision = 'approve') => {
  const path = `/api/v1/exceptions/${id}`
  expect((await sendDecision(stage.api, path, stage.people[person], decision)).status).toBe(201)
}
const read = async (id: string) => (await stage.api.call({ path: `/api/v1/exceptions/${id}` })).json.data
const journals = (id: string) => sql()`SELECT FROM ledger_journals WHERE reference = ${id}`
const available = async (user: string) => -(await stage.balance('ethereum', 'eth', 'available', user))

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(50)
}

/** Waits until the workflow has taken so many steps, whose results its history holds. */
const untilSteps = (handle: Awaited<ReturnType<typeof propose>>['handle'], steps: number) =>
  until(async () => {
    const history = await handle.fetchHistory().catch(() => null)
    return (history?.events ?? []).filter((event) => event.markerRecordedEventAttributes).length >= steps
  })

test('posts once, although the worker dies after the proposal, after an approval and while it posts', async () => {
  const { user, id, handle } = await propose()
  const first = startWorker()
  await untilSteps(handle, 1)
  first.kill('SIGKILL')
  await decide(id, 1)
  const second = startWorker()
  await untilSteps(handle, 2)
  second.kill('SIGKILL')
  // The third worker dies in the transaction that posts, which waits for an account.
  const holder = await sql().reserve()
  await holder`BEGIN`
  await holder`
    SELECT FROM ledger_accounts WHERE coin = 'eth' AND kind = 'available' AND owner = '' FOR UPDATE`
  await decide(id, 2)
  const third = startWorker()
  const posting = () => sql()<{ pid: number }[]>`
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'resolution-worker' AND wait_event_type = 'Lock'`
  await until(async () => (await posting()).length > 0)
  third.kill('SIGKILL')
  expect(await read(id)).toMatchObject({ status: 'in_progress', resolution: null })
  startWorker()
  await holder`ROLLBACK`
  holder.release()
  expect(await handle.result()).toBe('effective')
  expect(await read(id)).toMatchObject({ status: 'resolved', resolution: 'credit' })
  expect(await journals(id)).toHaveLength(1)
  expect(await available(user)).toBe(ETHER)
  await storeHistory('exception-resolution.killed', () => handle.fetchHistory())
}, 180_000)

test('posts nothing when a person rejects it while no worker lives', async () => {
  const { user, id, handle } = await propose()
  const first = startWorker()
  await untilSteps(handle, 1)
  await decide(id, 1)
  await untilSteps(handle, 2)
  first.kill('SIGKILL')
  await decide(id, 2, 'reject')
  startWorker()
  expect(await handle.result()).toBe('rejected')
  expect(await read(id)).toMatchObject({ status: 'open', resolution: null, approval: null })
  expect(await journals(id)).toHaveLength(0)
  expect(await available(user)).toBe(0n)
  await storeHistory('exception-resolution.rejected', () => handle.fetchHistory())
}, 180_000)

test('posts nothing when its time ends while no worker lives, with one approval', async () => {
  const { user, id, change, handle } = await propose()
  await decide(id, 1)
  await sql()`UPDATE control_changes SET expires_at = now() + interval '8 seconds' WHERE id = ${change}`
  const first = startWorker()
  await untilSteps(handle, 1)
  first.kill('SIGKILL')
  await until(async () => {
    const over = await sql()`SELECT FROM control_changes WHERE id = ${change} AND expires_at < now()`
    return over.length > 0
  })
  startWorker()
  expect(await handle.result()).toBe('expired')
  expect(await read(id)).toMatchObject({ status: 'open', resolution: null, approval: null })
  expect(await journals(id)).toHaveLength(0)
  expect(await available(user)).toBe(0n)
  await storeHistory('exception-resolution.expired', () => handle.fetchHistory())
}, 180_000)

test('finds a history for every end of a resolution', () => {
  expect(recordedHistories('exception-resolution')).toEqual([
    'exception-resolution.expired.pb',
    'exception-resolution.killed.pb',
    'exception-resolution.rejected.pb',
  ])
})

test.each(recordedHistories('exception-resolution'))('replays %s', async (name) => {
  await replayHistory(name)
})
