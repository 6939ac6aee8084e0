/** Runs a worker process: it serves the task queues that KEYTURN_WORKER_ROLES names, and the sealer if it is named. */

import { setTimeout as sleep } from 'node:timers/promises'
import { Client, Connection, type WorkflowClient } from '@temporalio/client'
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker'
import { pino } from 'pino'
import type { ChainAdapter } from '../chains/adapter.js'
import { createAdapter } from '../chains/create-adapter.js'
import { loadEnvironment } from '../config/load-environment.js'
import { storeExceptionTerms } from '../db/books/exceptions/store-exception-terms.js'
import { rememberCoins } from '../db/chain/remember-coins.js'
import { connect } from '../db/connect.js'
import { migrate } from '../db/migrate.js'
import { loadNetworks } from '../networks/load-networks.js'
import { QUEUE_ROLES, TASK_QUEUE } from '../temporal/task-queues.js'
import { createWorkers } from './create-workers.js'
import { loadWorkflowBundle, UnusableBundleError } from './load-workflow-bundle.js'
import {
  registerSearchAttributes,
  scheduleRebalance,
  scheduleSweeper,
  startChainWatchers,
} from './prepare-namespace.js'
import { startSealer } from './sealer.js'
import { watchNodes } from './watch-nodes.js'

/** Connections to PostgreSQL. Local activities, the watchers and the sealer share them. */
const POOL_SIZE = 20
const RETRY_MS = 1_000
const FIRST_CHECK_MS = 10_000
const ROLES: readonly string[] = [...QUEUE_ROLES, 'sealer']

const environment = loadEnvironment()
const log = pino({ name: 'worker', level: environment.KEYTURN_LOG_LEVEL })
const stopping = new AbortController()

async function main(): Promise<void> {
  const roles = environment.KEYTURN_WORKER_ROLES
  const unknown = roles.filter((role) => !ROLES.includes(role))
  if (unknown.length > 0)
    throw new Error(`KEYTURN_WORKER_ROLES: ${unknown.join(', ')} is none of ${ROLES.join(', ')}`)
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (!stopping.signal.aborted) log.info({ signal }, 'stopping')
      stopping.abort()
    })
  }
  // This process stops its workers itself, in its own order.
  Runtime.install({ shutdownSignals: [], logger: new DefaultLogger('WARN', toPino) })

  const configured = await loadNetworks()
  const sql = connect(environment.KEYTURN_DATABASE_URL, {
    max: POOL_SIZE,
    name: `keyturn-worker ${roles.join(',')}`,
  })
  const client = new Client({
    connection: Connection.lazy({ address: environment.KEYTURN_TEMPORAL_ADDRESS }),
    namespace: environment.KEYTURN_TEMPORAL_NAMESPACE,
  })
  const eager: Eager = { client: undefined }
  const closing: (() => Promise<unknown>)[] = [() => sql.end({ timeout: 2 }), () => client.connection.close()]
  try {
    await persist('PostgreSQL', () => migrate(sql))
    const networks = await persist('PostgreSQL', () => rememberCoins(sql, configured))
    await persist('PostgreSQL', () => storeExceptionTerms(sql, environment.KEYTURN_EXCEPTION_DUE))
    if (roles.includes('sealer')) {
      const sealer = await persist('PostgreSQL', () =>
        startSealer({ sql, workflowClient: () => client.workflow, eagerClient: () => eager.client, log }),
      )
      closing.unshift(() => sealer.stop())
    }
    const queues = roles.filter((role) => role !== 'sealer')
    if (queues.length > 0) await serve(queues, { networks, sql, client, eager, closing })
    else await stopped()
  } finally {
    for (const close of closing) await close().catch(() => {})
  }
}

/** The client that starts few deliveries. Absent unless a worker of the queue `webhooks` runs. */
interface Eager {
  client: WorkflowClient | undefined
}

interface Served {
  readonly networks: Awaited<ReturnType<typeof loadNetworks>>
  readonly sql: ReturnType<typeof connect>
  readonly client: Client
  readonly eager: Eager
  readonly closing: (() => Promise<unknown>)[]
}

async function serve(
  queues: readonly string[],
  { networks, sql, client, eager, closing }: Served,
): Promise<void> {
  const runsWorkflows = queues.some((queue) => queue === TASK_QUEUE.core || queue === TASK_QUEUE.webhooks)
  // Find the bundle again at each attempt, because another process may have removed it meanwhile.
  const findBundle = async () =>
    runsWorkflows ? loadWorkflowBundle(environment.KEYTURN_WORKFLOW_BUNDLE ?? null) : ''
  await findBundle()
  const connection = await persist('Temporal', () =>
    NativeConnection.connect({ address: environment.KEYTURN_TEMPORAL_ADDRESS }),
  )
  closing.push(() => connection.close())
  await persist('Temporal', async () => {
    await registerSearchAttributes(client.connection as Connection, environment.KEYTURN_TEMPORAL_NAMESPACE)
    await scheduleSweeper(client, environment.KEYTURN_SWEEP_INTERVAL)
    await scheduleRebalance(client, environment.KEYTURN_TREASURY_INTERVAL)
    await startChainWatchers(client, networks)
  })
  const adapters = new Map<string, ChainAdapter>()
  if (queues.includes(TASK_QUEUE.chain)) {
    for (const network of networks.values()) adapters.set(network.name, createAdapter(network))
    const watch = watchNodes(sql, adapters, log)
    closing.unshift(async () => watch.stop())
    // Log nodes that must not be used before the work begins, but do not let a node that hangs delay it.
    await Promise.race([watch.checked, sleep(FIRST_CHECK_MS, undefined, { signal: stopping.signal })]).catch(
      () => {},
    )
  }
  const { workers, close } = await persist('Temporal', async () =>
    createWorkers(
      {
        environment,
        networks,
        sql,
        adapters,
        connection,
        workflowClient: client.workflow,
        scheduleClient: client.schedule,
        log,
        bundle: await findBundle(),
        stopping: stopping.signal,
      },
      queues,
    ),
  )
  closing.unshift(close, ...[...adapters.values()].map((adapter) => () => adapter.close()))
  if (stopping.signal.aborted) return
  if (queues.includes(TASK_QUEUE.webhooks))
    eager.client = new Client({ connection, namespace: environment.KEYTURN_TEMPORAL_NAMESPACE }).workflow
  stopping.signal.addEventListener('abort', () => {
    eager.client = undefined
    for (const worker of workers) worker.shutdown()
  })
  log.info({ queues }, 'serving')
  // If one worker ends with an error, the process ends, and its supervisor starts it again.
  await Promise.all(workers.map((worker) => worker.run()))
}

/**
 * Retries an attempt through outages until the process shall stop. Other parts may start later or be
 * restarted.
 */
async function persist<T>(part: string, attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (stopping.signal.aborted || !isOutage(error)) throw error
      log.warn({ error: String(error) }, `${part} is not available yet; retrying`)
      await sleep(RETRY_MS, undefined, { signal: stopping.signal }).catch(() => {})
    }
  }
}

/**
 * Returns whether another attempt may succeed. It cannot after a changed migration, a wrong type or a bad
 * bundle.
 */
function isOutage(error: unknown): boolean {
  if (error instanceof UnusableBundleError) return false
  return !(
    error instanceof Error && /was changed after it was applied|exist and are no keywords/.test(error.message)
  )
}

function stopped(): Promise<void> {
  return new Promise((resolve) => {
    if (stopping.signal.aborted) resolve()
    stopping.signal.addEventListener('abort', () => resolve())
  })
}

function toPino(entry: { level: string; message: string; meta?: object | undefined }): void {
  const write = entry.level === 'ERROR' ? log.error : log.warn
  write.call(log, entry.meta ?? {}, entry.message)
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    if (stopping.signal.aborted) process.exit(0)
    log.fatal({ err: error }, 'the worker ended')
    process.exit(1)
  },
)
