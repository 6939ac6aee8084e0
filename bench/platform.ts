/**
 * Runs the platform's workers in this process, and beside them the floor: the same workflows with empty
 * activities.
 */

import { Client } from '@temporalio/client'
import { Worker, type WorkerOptions } from '@temporalio/worker'
import { pino } from 'pino'
import type { ChainAdapter } from '../chains/adapter.js'
import { loadEnvironment } from '../config/load-environment.js'
import type { Sql } from '../db/connect.js'
import type { Networks } from '../domain/chain/network.js'
import { TASK_QUEUE, type TaskQueue } from '../temporal/task-queues.js'
import {
  ACTIVITY_POLLERS,
  createWorkers,
  LOCAL_ACTIVITIES,
  WORKFLOW_OPTIONS,
} from '../workers/create-workers.js'
import { loadWorkflowBundle } from '../workers/load-workflow-bundle.js'
import { startSealer } from '../workers/sealer.js'
import type { BenchContext } from './context.js'
import type { BenchTemporal } from './temporal.js'

export const MASTER_KEY = '22'.repeat(32)

export interface PlatformOptions {
  readonly temporal: BenchTemporal
  readonly client: Client
  readonly sql: Sql
  readonly url: string
  readonly networks: Networks
  readonly adapters: ReadonlyMap<string, ChainAdapter>
  readonly queues: readonly TaskQueue[]
  /** Environment variables beside those that a bench needs in any case. */
  readonly settings?: Readonly<Record<string, string>>
}

/** Starts workers and sealer as `workers/main.ts` does, with our adapters. */
export async function startPlatform(context: BenchContext, options: PlatformOptions): Promise<void> {
  const { temporal, client, sql } = options
  const log = pino({ level: 'error' })
  const stopping = new AbortController()
  const { workers, close } = await createWorkers(
    {
      environment: loadEnvironment({
        KEYTURN_DATABASE_URL: options.url,
        KEYTURN_TEMPORAL_NAMESPACE: client.options.namespace,
        KEYTURN_MASTER_KEY: MASTER_KEY,
        KEYTURN_WEBHOOK_ALLOW_CIDRS: '127.0.0.1/32',
        KEYTURN_WEBHOOK_ALLOW_HTTP: 'true',
        ...options.settings,
      }),
      networks: options.networks,
      sql,
      adapters: options.adapters,
      connection: temporal.connection,
      scheduleClient: client.schedule,
      workflowClient: client.workflow,
      log,
      bundle: await loadWorkflowBundle(),
      stopping: stopping.signal,
    },
    options.queues,
  )
  const { namespace } = client.options
  const eager = options.queues.includes(TASK_QUEUE.webhooks)
    ? new Client({ connection: temporal.connection, namespace }).workflow
    : undefined
  const sealer = await startSealer({
    sql,
    workflowClient: () => client.workflow,
    eagerClient: () => eager,
    log,
  })
  runUntilEnd(context, workers, async () => {
    await close()
    await sealer.stop()
  })
  context.onEnd(async () => stopping.abort())
}

/**
 * Starts workers with the same options, whose activities return at once.
 *
 * @param activities - Activities by task queue, with the names and results of the real ones.
 */
export async function startFloor(
  context: BenchContext,
  temporal: BenchTemporal,
  client: Client,
  activities: Readonly<Partial<Record<TaskQueue, object>>>,
): Promise<void> {
  const workflowBundle = { codePath: await loadWorkflowBundle() }
  const workers: Worker[] = []
  for (const [taskQueue, some] of Object.entries(activities)) {
    const local =
      taskQueue === TASK_QUEUE.core ? { maxConcurrentLocalActivityExecutions: LOCAL_ACTIVITIES } : {}
    workers.push(
      await Worker.create({
        connection: temporal.connection,
        namespace: client.options.namespace,
        taskQueue,
        workflowBundle,
        activities: some,
        ...WORKFLOW_OPTIONS,
        ...local,
        maxConcurrentActivityTaskExecutions: 1_000,
        activityTaskPollerBehavior: ACTIVITY_POLLERS,
        shutdownGraceTime: '1s',
      } satisfies WorkerOptions),
    )
  }
  runUntilEnd(context, workers, async () => {})
}

function runUntilEnd(context: BenchContext, workers: readonly Worker[], close: () => Promise<void>): void {
  const running = Promise.all(workers.map((worker) => worker.run()))
  running.catch((error: unknown) => context.progress(`  a worker ended: ${String(error)}`))
  context.onEnd(async () => {
    for (const worker of workers) worker.shutdown()
    await running
    await close()
  })
}
