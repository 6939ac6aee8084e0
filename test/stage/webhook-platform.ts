/** Starts a worker of the queue `webhooks` for a merchant with endpoints, on real PostgreSQL. */

import type { Client } from '@temporalio/client'
import { type NativeConnection, Worker } from '@temporalio/worker'
import { createFirstAttempts } from '../../activities/events/first-attempts.js'
import { createWebhookCircuitActivities } from '../../activities/events/webhook-circuit.js'
import {
  createWebhookDeliveryActivities,
  WEBHOOK_ACTIVITY_SLOTS,
} from '../../activities/events/webhook-delivery.js'
import { createWebhookReplayActivities } from '../../activities/events/webhook-replay.js'
import type { Sql, Transaction } from '../../db/connect.js'
import { appendEvent } from '../../db/events/log/append-event.js'
import type { NewEvent } from '../../db/events/log/append-events.js'
import { sealEvents } from '../../db/events/log/seal-events.js'
import type { EndpointRow } from '../../db/events/webhooks/endpoint-row.js'
import { findEndpoint } from '../../db/events/webhooks/find-endpoint.js'
import { getDelivery } from '../../db/events/webhooks/list-deliveries.js'
import { recordAttempt } from '../../db/events/webhooks/record-attempt.js'
import { newId } from '../../db/new-id.js'
import type { CircuitState } from '../../domain/events/circuit.js'
import { createSender, type SenderOptions } from '../../egress/create-sender.js'
import { createEndpointGate } from '../../egress/endpoint-gate.js'
import { createTargetPolicy } from '../../egress/target-policy.js'
import { webhookCircuitId, webhookDeliveryId } from '../../temporal/ids.js'
import { startWebhookDelivery } from '../../temporal/start.js'
import { TASK_QUEUE } from '../../temporal/task-queues.js'
import { type CircuitGate, createWorkflowGate } from '../../temporal/workflow-gate.js'
import { loadWorkflowBundle } from '../../workers/load-workflow-bundle.js'
import { sealOnce } from '../support/seal-once.js'
import { createTestEndpoint, type TestEndpoint } from './create-test-endpoint.js'

const MASTER_KEY = '22'.repeat(32)
const HOUR_MS = 3_600_000

export interface WebhookPlatformOptions {
  readonly sql: Sql
  readonly client: Client
  readonly connection: NativeConnection
  readonly namespace: string
  readonly timeoutMs?: number
  readonly retryIntervalMs?: number
  readonly retryWindowMs?: number
  readonly resolve?: SenderOptions['resolve']
  /** Starts the workflow of a circuit. Default: as the platform does. */
  readonly startCircuit?: CircuitGate['startWebhookCircuit']
}

export type WebhookPlatform = Awaited<ReturnType<typeof startWebhookPlatform>>

/** Starts the worker; `close` ends it. */
export async function startWebhookPlatform(options: WebhookPlatformOptions) {
  const { sql, client } = options
  const merchantId = newId('mer')
  await sql`INSERT INTO merchants (id, name) VALUES (${merchantId}, 'Test')`
  const retryIntervalMs = options.retryIntervalMs ?? 300_000
  const sender = createSender({
    policy: createTargetPolicy({ allowCidrs: ['127.0.0.1/32'], allowHttp: true }),
    timeoutMs: options.timeoutMs ?? 1_000,
    ...(options.resolve ? { resolve: options.resolve } : {}),
  })
  const workflows = createWorkflowGate(client.workflow)
  const attempts = {
    sql,
    masterKeys: [MASTER_KEY],
    sender,
    gate: createEndpointGate({ maxDelayMs: retryIntervalMs }),
    retryIntervalMs,
    timeoutMs: options.timeoutMs ?? 1_000,
    retryWindowMs: options.retryWindowMs ?? 24 * HOUR_MS,
    startCircuit: options.startCircuit ?? workflows.startWebhookCircuit,
  }
  const firstAttempts = createFirstAttempts(attempts)
  const activities = {
    ...createWebhookDeliveryActivities({ ...attempts, firstAttempts }),
    ...createWebhookCircuitActivities({
      ...attempts,
      signal: workflows.signal,
      log: { warn() {} },
      wakePauseMs: 1,
    }),
    ...createWebhookReplayActivities({ sql }),
  }
  const startWorker = async () =>
    Worker.create({
      connection: options.connection,
      namespace: options.namespace,
      taskQueue: TASK_QUEUE.webhooks,
      workflowBundle: { codePath: await loadWorkflowBundle() },
      activities,
      maxConcurrentActivityTaskExecutions: WEBHOOK_ACTIVITY_SLOTS,
      // Attempts under way end before the worker does, as in production.
      shutdownGraceTime: '5s',
    })
  const worker = await startWorker()
  const running = worker.run()

  const platform = {
    sql,
    activities,
    client,
    merchantId,
    endpoint: (url: string, change: Pick<TestEndpoint, 'eventTypes' | 'format' | 'maxRate'> = {}) =>
      createTestEndpoint(sql, { merchantId, url, masterKey: MASTER_KEY, ...change }),
    /** Records an event of an object of its own, so that it waits for no other. @returns The event's id. */
    append(tx: Transaction, event: Partial<NewEvent> = {}): Promise<string> {
      return appendEvent(tx, {
        merchantId,
        type: 'deposit.status_changed',
        subject: newId('dep'),
        data: { id: 'dep_1', amount: '0.1', note: 'Zoë 💶' },
        ...event,
      })
    },
    /** Commits an event, seals it, and starts its deliveries as the sealer does. @returns The event's id. */
    async happen(event: Partial<NewEvent> = {}): Promise<string> {
      const id = await sql.begin((tx) => platform.append(tx, event))
      await platform.seal()
      return id
    },
    /** Seals events without starting deliveries. */
    async sealOnly(): Promise<void> {
      while ((await sealEvents(sql)) > 0) {}
    },
    /** Stores the result of an attempt, as another process would. */
    async record(deliveryId: string, statusCode: number): Promise<void> {
      await recordAttempt(sql, {
        deliveryId,
        at: new Date(),
        statusCode,
        durationMs: 1,
        error: null,
        failureClass: null,
        answer: null,
        nextAttemptAt: null,
        restarts: 0,
        lost: [],
      })
    },
    async seal(): Promise<void> {
      while (await sealOnce(sql, client.workflow)) {}
    },
    /** Starts the delivery of an event to one endpoint, without the sealer's bookkeeping. */
    async start(eventId: string, endpoint: EndpointRow): Promise<void> {
      await platform.sealOnly()
      await startWebhookDelivery(client.workflow, {
        id: platform.deliveryId(eventId, endpoint),
        eventId,
        endpointId: endpoint.id,
        merchantId,
        title: 'test',
        firstAttempt: 'local',
      })
    },
    deliveryId: (eventId: string, endpoint: EndpointRow) => `whd_${eventId.slice(4)}_${endpoint.id.slice(4)}`,
    handle: (eventId: string, endpoint: EndpointRow) =>
      client.workflow.getHandle(webhookDeliveryId(eventId, endpoint.id)),
    circuit: (endpoint: EndpointRow) => client.workflow.getHandle(webhookCircuitId(endpoint.id)),
    /** Returns the state of an endpoint's circuit. */
    async circuitState(endpoint: EndpointRow): Promise<CircuitState> {
      const row = await findEndpoint(sql, merchantId, endpoint.id)
      if (!row) throw new Error('No such endpoint')
      return row.circuit
    },
    async delivery(eventId: string, endpoint: EndpointRow) {
      const row = await getDelivery(sql, merchantId, platform.deliveryId(eventId, endpoint))
      if (!row) throw new Error('No such delivery')
      return row
    },
    masterKey: MASTER_KEY,
    async close(): Promise<void> {
      worker.shutdown()
      await running
      await firstAttempts.close()
      await sender.close()
    },
  }
  return platform
}
