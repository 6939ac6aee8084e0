/** The watcher of a chain detects, confirms and reports, and moves between workers without a gap. */

import { beforeAll, expect, test } from 'vitest'
import { OPERATOR } from '../../db/merchants/operator.js'
import { readCursor } from '../../db/networks/chain-cursor.js'
import { chainWatcherId, SWEEPER_SCHEDULE_ID } from '../../temporal/ids.js'
import { scheduleSweeper, startChainWatchers } from '../../workers/prepare-namespace.js'
import { ChainModel } from '../stage/chain-model.js'
import { depositPlatform, eventually, polledFast, untilStatus } from '../stage/deposit-platform.js'
import { bitcoin, ledger, merchantWith } from '../stage/deposit-steps.js'
import { storeHistory } from '../stage/histories.js'

const network = polledFast(bitcoin)
const networks = new Map([[network.name, network]])
const platform = depositPlatform(networks)
const model = new ChainModel(network)
const adapter = model.adapter()
const watcher = () => platform.temporal.client.workflow.getHandle(chainWatcherId('bitcoin'))

async function untilScanned() {
  await eventually(async () =>
    expect(await readCursor(platform.sql, 'bitcoin')).toMatchObject({ height: model.height }),
  )
}

beforeAll(async () => {
  await startChainWatchers(platform.temporal.client, networks)
  await platform.startWorkers(['core', 'chain'], [adapter])
  await untilScanned()
})

test('detects, confirms and credits a deposit without any other process', async () => {
  const merchant = await merchantWith(platform.sql)
  const alice = await merchant.address('bitcoin', 'alice')
  const { txid } = model.pay({ payee: alice.payee, coin: 'btc', amount: 1_000n })
  await untilStatus(platform.sql, txid, 'detected')
  model.mine()
  await untilStatus(platform.sql, txid, 'unconfirmed')
  model.mine()
  model.mine()
  await untilStatus(platform.sql, txid, 'success')
  expect(await ledger(platform.sql, 'available', 'alice')).toBe(1_000n)
})

test('stores fees for estimates', async () => {
  await eventually(async () => {
    const [row] = await platform.sql`SELECT fees FROM network_fees WHERE network = 'bitcoin'`
    expect(row?.fees).toEqual({ low: 2, normal: 2, high: 2, urgent: 2 })
  })
})

test('reports a node that does not answer, ends no run, and clears the report when the node returns', async () => {
  const run = (await watcher().describe()).runId
  model.failures = 4
  await eventually(async () => {
    const [row] = await platform.sql`SELECT health, health_note FROM chain_cursors`
    expect(row).toEqual({ health: 'degraded', health_note: 'The node does not answer' })
  })
  model.mine()
  await untilScanned()
  await eventually(async () => {
    const [row] = await platform.sql`SELECT health, health_note, head_height FROM chain_cursors`
    expect(row).toEqual({ health: 'ok', health_note: null, head_height: BigInt(model.height) })
  })
  const description = await watcher().describe()
  expect(description.runId).toBe(run)
  expect(description.raw.pendingActivities?.[0]?.attempt).toBe(1)
})

test('moves to another worker at once and without a gap when its own worker stops', async () => {
  const before = (await watcher().describe()).runId
  await platform.stopAll()
  const merchant = await merchantWith(platform.sql)
  const bob = await merchant.address('bitcoin', 'bob')
  model.pay({ payee: bob.payee, coin: 'btc', amount: 2_000n })
  for (let block = 0; block < 30; block++) model.mine()
  await platform.startWorkers(['core', 'chain'], [adapter])
  await untilScanned()
  await eventually(async () => expect(await ledger(platform.sql, 'available', 'bob')).toBe(2_000n))
  const { runId } = await watcher().describe()
  // An orderly stop ends the run; the next one continues as new.
  expect(runId).not.toBe(before)
  const history = await platform.temporal.client.workflow
    .getHandle(chainWatcherId('bitcoin'), before)
    .fetchHistory()
  // A task that the stopping worker had taken adds three more events.
  expect(history.events?.length).toBeLessThanOrEqual(14)
  await storeHistory('chain-watcher.continued', async () => history)
})

test('lets its process stop while a step hangs, and goes on in another worker', async () => {
  await platform.stopAll()
  let asked = 0
  const hanging = {
    ...adapter,
    head: () => {
      asked += 1
      return new Promise<never>(() => {})
    },
  }
  await platform.startWorkers(['core', 'chain'], [hanging])
  await eventually(async () => expect(asked).toBeGreaterThan(0))
  await platform.stopAll()
  model.mine()
  await platform.startWorkers(['core', 'chain'], [adapter])
  await untilScanned()
})

test('runs the sweeper by its schedule, with the interval that was configured last', async () => {
  await scheduleSweeper(platform.temporal.client, 3_600_000)
  await scheduleSweeper(platform.temporal.client, 60_000)
  const schedule = platform.temporal.client.schedule.getHandle(SWEEPER_SCHEDULE_ID)
  expect((await schedule.describe()).spec.intervals).toMatchObject([{ every: 60_000 }])
  await schedule.trigger()
  const id = await eventuallyFirst(async () => {
    const { recentActions } = (await schedule.describe()).info
    return recentActions.find((each) => each.action.type === 'startWorkflow')?.action.workflow.workflowId
  })
  const handle = platform.temporal.client.workflow.getHandle(id)
  // No part of the sweep found anything to do, except the daily reconciliation of each merchant.
  const { schedules, ...others } = (await handle.result()) as Record<string, number>
  expect(others).toMatchObject({ deposits: 0, withdrawals: 0, deliveries: 0 })
  expect(new Set(Object.values(others))).toEqual(new Set([0]))
  const merchants = await platform.sql`SELECT FROM merchants WHERE id <> ${OPERATOR}`
  expect(schedules).toBe(merchants.length)
  await storeHistory('sweeper.swept', () => handle.fetchHistory())
})

async function eventuallyFirst<T>(find: () => Promise<T | undefined>): Promise<T> {
  let found: T | undefined
  await eventually(async () => {
    found = await find()
    expect(found).toBeDefined()
  })
  return found as T
}
