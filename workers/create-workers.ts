/** Creates the Temporal workers of a process: one for each task queue that its roles name. */

import type { ScheduleClient, WorkflowClient } from '@temporalio/client'
import { type NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker'
import type { WebhookDeliveryDependencies } from '../activities/events/attempt.js'
import { createFirstAttempts, type FirstAttempts } from '../activities/events/first-attempts.js'
import { WEBHOOK_ACTIVITY_SLOTS } from '../activities/events/webhook-delivery.js'
import { heartbeating } from '../activities/heartbeating.js'
import {
  createBatchActivities,
  createChainWatcherActivities,
  createControlChangeActivities,
  createDepositActivities,
  createExportActivities,
  createPaymentActivities,
  createPeriodActivities,
  createReconciliationActivities,
  createRescanActivities,
  createScheduledWithdrawalActivities,
  createScreeningActivities,
  createSettlementActivities,
  createSweeperActivities,
  createTreasuryActivities,
  createWebhookCircuitActivities,
  createWebhookDeliveryActivities,
  createWebhookReplayActivities,
  createWithdrawalActivities,
  createWithdrawalChainActivities,
} from '../activities/index.js'
import type { ChainAdapter } from '../chains/adapter.js'
import type { Environment } from '../config/load-environment.js'
import { masterKeysOf } from '../config/master-keys.js'
import type { Sql } from '../db/connect.js'
import type { AlertSettings } from '../db/operations/alerts/watch-withdrawals.js'
import { findCoin, findNetwork, type Networks } from '../domain/chain/network.js'
import { parseAmount } from '../domain/money.js'
import { createSender, type Sender } from '../egress/create-sender.js'
import { AT_ONCE, createEndpointGate } from '../egress/endpoint-gate.js'
import {
  createScreeningService,
  type ScreeningService,
} from '../egress/screening/create-screening-service.js'
import { createWebhookPolicy } from '../egress/webhook-policy.js'
import type { Logger } from '../telemetry/logger.js'
import { TASK_QUEUE, type TaskQueue } from '../temporal/task-queues.js'
import { createScheduleGate, createWorkflowGate } from '../temporal/workflow-gate.js'

export interface WorkerParts {
  readonly environment: Environment
  readonly networks: Networks
  readonly sql: Sql
  /** Chain adapters by network name. */
  readonly adapters: ReadonlyMap<string, ChainAdapter>
  readonly connection: NativeConnection
  readonly workflowClient: WorkflowClient
  readonly scheduleClient: ScheduleClient
  readonly log: Logger
  /** Path of the workflow bundle (`loadWorkflowBundle`). */
  readonly bundle: string
  /** Signal that is aborted when the process shall stop. */
  readonly stopping: AbortSignal
}

export interface CreatedWorkers {
  readonly workers: readonly Worker[]
  /** Closes the connections of the activities. Call it when the workers have ended. */
  close(): Promise<void>
}

/**
 * Slots, pollers and cache for workflow tasks. The tasks run in one thread, so few slots are enough, and more
 * pollers help only until the server is busy. A cached workflow takes about 1 MB. Temporal replays the short
 * history of one that is not cached.
 */
export const WORKFLOW_OPTIONS = {
  maxConcurrentWorkflowTaskExecutions: 40,
  maxCachedWorkflows: 500,
  workflowTaskPollerBehavior: { type: 'autoscaling', initial: 5, maximum: 20 },
} as const
/** Pollers for activities. As for workflow tasks, more of them help only until the server is busy. */
export const ACTIVITY_POLLERS = { type: 'autoscaling', initial: 5, maximum: 20 } as const
/** Local activities at once. Each is a Postgres transaction, so more than the connections would only wait. */
export const LOCAL_ACTIVITIES = 50
/** Slots of the queue `webhooks` for workflow tasks without a first attempt, for example after a timer. */
const OTHER_TASKS = 12
/**
 * Slots for chain activities. A watcher, or a payout that waits for its signer, holds one but works little.
 */
const CHAIN_ACTIVITIES = 500

/** Exports that a process writes at once. Each holds a connection, and formats rows in this thread. */
const EXPORTS = 2
/** Steps of reconciliations that a process makes at once. Each holds a connection and little of this thread. */
const CHECKS = 2
/**
 * Comparisons with a chain that a process makes at once. They wait for nodes for minutes, so they have slots of their
 * own, and a merchant's short checks do not wait for another merchant's comparison.
 */
const COMPARISONS = 2

const RECONCILIATION_SLOTS = [
  [TASK_QUEUE.reconciliation, CHECKS],
  [TASK_QUEUE.comparisons, COMPARISONS],
] as const

/** Creates the workers of the process's roles. The role `sealer` has no Temporal worker. */
export async function createWorkers(parts: WorkerParts, roles: readonly string[]): Promise<CreatedWorkers> {
  let sender: Sender | null = null
  let firstAttempts: FirstAttempts | null = null
  const services: Screenings = { destinations: null, deposits: null }
  const workers: Worker[] = []
  for (const role of roles) {
    if (role === TASK_QUEUE.core)
      workers.push(await Worker.create({ ...common(parts, role), ...coreOptions(parts) }))
    if (role === TASK_QUEUE.chain) {
      services.destinations ??= createDestinationScreening(parts.environment)
      services.deposits ??= createDepositScreening(parts.environment)
      workers.push(await Worker.create({ ...common(parts, role), ...chainOptions(parts, services) }))
    }
    if (role === TASK_QUEUE.exports) {
      workers.push(await Worker.create({ ...common(parts, role), ...exportOptions(parts) }))
      for (const [queue, slots] of RECONCILIATION_SLOTS) {
        const options = { ...common(parts, queue), ...reconciliationOptions(parts, slots) }
        workers.push(await Worker.create(options))
      }
    }
    if (role === TASK_QUEUE.webhooks) {
      sender ??= createSender({
        policy: createWebhookPolicy(parts.environment),
        timeoutMs: parts.environment.KEYTURN_WEBHOOK_TIMEOUT,
      })
      const attempts = attemptDependencies(parts, sender)
      firstAttempts = createFirstAttempts(attempts)
      const options = webhookOptions(parts, { ...attempts, firstAttempts })
      workers.push(await Worker.create({ ...common(parts, role), ...options }))
    }
  }
  return {
    workers,
    async close() {
      await firstAttempts?.close()
      await sender?.close()
      await services.destinations?.sender.close()
      await services.deposits?.sender.close()
    },
  }
}

function common({ connection, environment }: WorkerParts, taskQueue: TaskQueue) {
  return {
    connection,
    namespace: environment.KEYTURN_TEMPORAL_NAMESPACE,
    taskQueue,
    // Activities under way may end first. If one does not, its missing heartbeat gives it to another worker.
    shutdownGraceTime: '5s',
    shutdownForceTime: '20s',
  } satisfies WorkerOptions
}

function coreOptions(parts: WorkerParts) {
  const { sql, networks, environment, workflowClient, scheduleClient, log, bundle } = parts
  return {
    workflowBundle: { codePath: bundle },
    activities: {
      ...createDepositActivities({
        sql,
        networks,
        screen: environment.KEYTURN_SCREENING_URL !== undefined,
        heldSenders: environment.KEYTURN_HELD_SENDERS,
        startConsolidation: createWorkflowGate(workflowClient).startConsolidation,
        wakePayment: createWorkflowGate(workflowClient).wakePayment,
      }),
      ...createPaymentActivities({ sql }),
      ...createWithdrawalActivities({
        sql,
        networks,
        rebroadcastMs: environment.KEYTURN_REBROADCAST_INTERVAL,
      }),
      ...createBatchActivities({ sql, networks, gate: createWorkflowGate(workflowClient) }),
      ...createControlChangeActivities({ sql, networks }),
      ...createSettlementActivities({ sql, gate: createWorkflowGate(workflowClient) }),
      ...heartbeating(createPeriodActivities({ sql, networks })),
      ...createScheduledWithdrawalActivities({
        sql,
        networks,
        gate: createWorkflowGate(workflowClient),
        expiryMs: environment.KEYTURN_WITHDRAWAL_EXPIRY,
        screen: environment.KEYTURN_WITHDRAWAL_SCREENING_URL !== undefined,
      }),
      ...heartbeating(
        createSweeperActivities({
          sql,
          networks,
          gate: createWorkflowGate(workflowClient),
          schedules: createScheduleGate(scheduleClient, workflowClient),
          log,
          alerts: alertSettings(parts),
          signalAgainAfterMs: Math.max(30_000, 2 * environment.KEYTURN_SWEEP_INTERVAL),
          graceMs: Math.min(5_000, environment.KEYTURN_SWEEP_INTERVAL),
          reconciliationIntervalMs: environment.KEYTURN_RECONCILIATION_INTERVAL,
          nonceGapAfterMs: environment.KEYTURN_NONCE_GAP_AFTER,
          unansweredAfterMs: environment.KEYTURN_UNANSWERED_AFTER,
          signerOfflineAfterMs: environment.KEYTURN_SIGNER_OFFLINE_AFTER,
          exportRetentionMs: environment.KEYTURN_EXPORT_RETENTION,
          reconciliationRetentionMs: environment.KEYTURN_RECONCILIATION_RETENTION,
          idempotencyWindowMs: environment.KEYTURN_IDEMPOTENCY_WINDOW,
          webhookRetryIntervalMs: environment.KEYTURN_WEBHOOK_RETRY_INTERVAL,
          webhookRetryWindowMs: environment.KEYTURN_WEBHOOK_RETRY_WINDOW,
        }),
      ),
    },
    ...WORKFLOW_OPTIONS,
    maxConcurrentLocalActivityExecutions: LOCAL_ACTIVITIES,
    maxConcurrentActivityTaskExecutions: LOCAL_ACTIVITIES,
    activityTaskPollerBehavior: ACTIVITY_POLLERS,
  } satisfies Omit<WorkerOptions, 'taskQueue'>
}

function chainOptions(parts: WorkerParts, { destinations, deposits }: Screenings) {
  const { sql, networks, adapters, workflowClient, log, stopping } = parts
  return {
    activities: {
      ...createChainWatcherActivities({
        sql,
        adapter(network) {
          const adapter = adapters.get(network)
          if (!adapter) throw new Error(`Network ${network} is not enabled in this worker`)
          return adapter
        },
        gate: createWorkflowGate(workflowClient),
        log,
        stopping,
        addressGap: parts.environment.KEYTURN_ADDRESS_GAP,
      }),
      ...createScreeningActivities({
        sql,
        networks,
        screening: deposits,
      }),
      ...heartbeating(createRescanActivities({ sql, adapters })),
      ...createWithdrawalChainActivities({ screening: destinations, sql, networks, adapters }),
      ...createTreasuryActivities({
        sql,
        networks,
        adapters,
        gate: createWorkflowGate(workflowClient),
        log,
      }),
    },
    maxConcurrentActivityTaskExecutions: CHAIN_ACTIVITIES,
    activityTaskPollerBehavior: ACTIVITY_POLLERS,
  } satisfies Omit<WorkerOptions, 'taskQueue'>
}

function exportOptions({ sql, networks, environment }: WorkerParts) {
  return {
    activities: heartbeating(
      createExportActivities({
        sql,
        networks,
        mostBytes: {
          merchant: environment.KEYTURN_EXPORT_STORAGE,
          all: environment.KEYTURN_EXPORT_STORAGE_TOTAL,
        },
      }),
    ),
    maxConcurrentActivityTaskExecutions: EXPORTS,
  } satisfies Omit<WorkerOptions, 'taskQueue'>
}

function reconciliationOptions({ sql, networks, workflowClient }: WorkerParts, slots: number) {
  return {
    activities: heartbeating(
      createReconciliationActivities({ sql, networks, gate: createWorkflowGate(workflowClient) }),
    ),
    maxConcurrentActivityTaskExecutions: slots,
  } satisfies Omit<WorkerOptions, 'taskQueue'>
}

/** Parses the thresholds of alerts. @throws KeyturnError if a threshold names a coin that is not enabled. */
function alertSettings({ networks, environment }: WorkerParts): AlertSettings {
  const large = environment.KEYTURN_ALERT_LARGE.map(({ network, coin, amount }) => {
    const { decimals } = findCoin(findNetwork(networks, network), coin)
    return [`${network}.${coin}`, parseAmount(amount, decimals)] as const
  })
  return {
    large: new Map(large),
    failures: environment.KEYTURN_ALERT_FAILURES,
    stuckFactor: environment.KEYTURN_ALERT_STUCK_FACTOR,
    unusualScore: environment.KEYTURN_ALERT_UNUSUAL_SCORE,
  }
}

interface Screenings {
  destinations: ScreeningService | null
  deposits: ScreeningService | null
}

function createDestinationScreening(environment: Environment): ScreeningService | null {
  return createScreeningService({
    url: environment.KEYTURN_WITHDRAWAL_SCREENING_URL,
    secret: environment.KEYTURN_WITHDRAWAL_SCREENING_SECRET,
    timeoutMs: environment.KEYTURN_WITHDRAWAL_SCREENING_TIMEOUT,
    allowCidrs: environment.KEYTURN_WITHDRAWAL_SCREENING_ALLOW_CIDRS,
  })
}

function createDepositScreening(environment: Environment): ScreeningService | null {
  return createScreeningService({
    url: environment.KEYTURN_SCREENING_URL,
    secret: environment.KEYTURN_SCREENING_SECRET,
    timeoutMs: environment.KEYTURN_SCREENING_TIMEOUT,
    allowCidrs: environment.KEYTURN_SCREENING_ALLOW_CIDRS,
  })
}

function attemptDependencies(
  { sql, environment, workflowClient }: WorkerParts,
  sender: Sender,
): WebhookDeliveryDependencies {
  return {
    sql,
    masterKeys: masterKeysOf(environment),
    sender,
    gate: createEndpointGate({ maxDelayMs: environment.KEYTURN_WEBHOOK_RETRY_INTERVAL }),
    timeoutMs: environment.KEYTURN_WEBHOOK_TIMEOUT,
    retryIntervalMs: environment.KEYTURN_WEBHOOK_RETRY_INTERVAL,
    retryWindowMs: environment.KEYTURN_WEBHOOK_RETRY_WINDOW,
    startCircuit: createWorkflowGate(workflowClient).startWebhookCircuit,
  }
}

function webhookOptions(
  { bundle, workflowClient, log }: WorkerParts,
  attempts: WebhookDeliveryDependencies & { readonly firstAttempts: FirstAttempts },
) {
  const { signal } = createWorkflowGate(workflowClient)
  return {
    // Workflow and activity share the queue, so the worker starts the first attempt without another poll.
    workflowBundle: { codePath: bundle },
    activities: {
      ...createWebhookDeliveryActivities(attempts),
      ...heartbeating({
        ...createWebhookCircuitActivities({ ...attempts, signal, log }),
        ...createWebhookReplayActivities({ sql: attempts.sql }),
      }),
    },
    ...WORKFLOW_OPTIONS,
    // A first attempt holds a slot of both while it waits or lasts, so there are more than the gate admits.
    maxConcurrentWorkflowTaskExecutions: AT_ONCE.all + AT_ONCE.waiting + OTHER_TASKS,
    maxConcurrentLocalActivityExecutions: AT_ONCE.all + AT_ONCE.waiting + OTHER_TASKS,
    maxConcurrentActivityTaskExecutions: WEBHOOK_ACTIVITY_SLOTS,
    activityTaskPollerBehavior: ACTIVITY_POLLERS,
  } satisfies Omit<WorkerOptions, 'taskQueue'>
}
