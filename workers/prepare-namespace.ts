/** Prepares a Temporal namespace: it registers search attributes, creates our schedules and starts the watchers. */

import {
  type Client,
  type Connection,
  ScheduleAlreadyRunning,
  ScheduleOverlapPolicy,
} from '@temporalio/client'
import type { Networks } from '../domain/chain/network.js'
import { REBALANCE_SCHEDULE_ID, SWEEPER_SCHEDULE_ID } from '../temporal/ids.js'
import { SEARCH_ATTRIBUTE } from '../temporal/search-attributes.js'
import { startChainWatcher } from '../temporal/start.js'
import { TASK_QUEUE } from '../temporal/task-queues.js'

/** `INDEXED_VALUE_TYPE_KEYWORD` of Temporal's API. */
const KEYWORD = 2

/** Registers the search attributes that are missing. @throws Error if one is registered with another type. */
export async function registerSearchAttributes(connection: Connection, namespace: string): Promise<void> {
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace })
  const names = Object.values(SEARCH_ATTRIBUTE).map((attribute) => attribute.name)
  const wrong = names.filter(
    (name) => customAttributes?.[name] !== undefined && customAttributes[name] !== KEYWORD,
  )
  if (wrong.length > 0) throw new Error(`Search attributes ${wrong.join(', ')} exist and are no keywords`)
  const missing = names.filter((name) => customAttributes?.[name] === undefined)
  if (missing.length === 0) return
  await connection.operatorService.addSearchAttributes({
    namespace,
    searchAttributes: Object.fromEntries(missing.map((name) => [name, KEYWORD])),
  })
}

/** Creates the sweeper's schedule, or updates its interval. */
export async function scheduleSweeper(client: Client, intervalMs: number): Promise<void> {
  await keepSchedule(
    client,
    SWEEPER_SCHEDULE_ID,
    'sweeper',
    intervalMs,
    'Starts and signals what a crash left behind',
  )
}

/** Creates the rebalancer's schedule, or updates its interval. */
export async function scheduleRebalance(client: Client, intervalMs: number): Promise<void> {
  await keepSchedule(
    client,
    REBALANCE_SCHEDULE_ID,
    'rebalance',
    intervalMs,
    'Compares wallets with their watermarks',
  )
}

async function keepSchedule(
  client: Client,
  scheduleId: string,
  workflowType: string,
  intervalMs: number,
  staticSummary: string,
): Promise<void> {
  const spec = { intervals: [{ every: intervalMs }] }
  const action = {
    type: 'startWorkflow',
    workflowType,
    workflowId: scheduleId,
    taskQueue: TASK_QUEUE.core,
    staticSummary,
  } as const
  const policies = { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1m' } as const
  try {
    await client.schedule.create({ scheduleId, spec, action, policies })
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error
    await client.schedule.getHandle(scheduleId).update(({ state }) => ({ spec, action, policies, state }))
  }
}

/** Starts the watcher of every enabled network that has none. */
export async function startChainWatchers(client: Client, networks: Networks): Promise<void> {
  for (const network of networks.keys()) await startChainWatcher(client.workflow, { network })
}
