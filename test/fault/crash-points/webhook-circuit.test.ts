/**
 * Kills the worker that drains a circuit at every commit: each waiting delivery reaches the endpoint, in order,
 * and each workflow that waits is woken.
 */

import { MockActivityEnvironment } from '@temporalio/testing'
import { DefaultLogger } from '@temporalio/worker'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createWebhookCircuitActivities } from '../../../activities/events/webhook-circuit.js'
import { appendEvent } from '../../../db/events/log/append-event.js'
import { sealEvents } from '../../../db/events/log/seal-events.js'
import { findEndpoint } from '../../../db/events/webhooks/find-endpoint.js'
import { waitForCircuit } from '../../../db/events/webhooks/wait-for-circuit.js'
import { newId } from '../../../db/new-id.js'
import { createSender } from '../../../egress/create-sender.js'
import { createEndpointGate } from '../../../egress/endpoint-gate.js'
import { createTargetPolicy } from '../../../egress/target-policy.js'
import { webhookDeliveryId } from '../../../temporal/ids.js'
import { createTestEndpoint } from '../../stage/create-test-endpoint.js'
import { freshDatabase, type TestDatabase } from '../../support/database.js'
import { startWebhookReceiver, type WebhookReceiver } from '../../support/webhook-receiver.js'
import { atEveryCommit } from './at-every-commit.js'

const MASTER_KEY = '33'.repeat(32)
const WAITING = 3
const sender = createSender({
  policy: createTargetPolicy({ allowCidrs: ['127.0.0.1/32'], allowHttp: true }),
  timeoutMs: 1_000,
})
let database: TestDatabase
let receiver: WebhookReceiver

beforeAll(async () => {
  ;[database, receiver] = await Promise.all([freshDatabase(), startWebhookReceiver()])
})
afterAll(async () => {
  await Promise.all([sender.close(), receiver?.close()])
  await database?.drop()
})

test('sends what waits in order and wakes every workflow, at whichever commit its worker is killed', async () => {
  const { sql } = database
  /** Workflows that got the signal, by the id of their event. */
  const woken = new Map<string, unknown>()
  const commits = await atEveryCommit(database, {
    async prepare() {
      const merchantId = newId('mer')
      await sql`INSERT INTO merchants (id, name) VALUES (${merchantId}, 'Shop')`
      const endpoint = await createTestEndpoint(sql, { merchantId, url: receiver.url, masterKey: MASTER_KEY })
      await sql`INSERT INTO webhook_circuits (endpoint_id, state) VALUES (${endpoint.id}, 'open')`
      const events: string[] = []
      for (let number = 0; number < WAITING; number += 1) {
        const event = await sql.begin((tx) =>
          appendEvent(tx, { merchantId, type: 'webhook.test', subject: newId('dep'), data: {} }),
        )
        events.push(event)
        while ((await sealEvents(sql)) > 0) {}
        await waitForCircuit(sql, `whd_${event.slice(4)}_${endpoint.id.slice(4)}`)
      }
      return { merchantId, endpointId: endpoint.id, events }
    },
    async live(own, { endpointId }) {
      const activities = createWebhookCircuitActivities({
        sql: own,
        masterKeys: [MASTER_KEY],
        sender,
        gate: createEndpointGate({ maxDelayMs: 1_000 }),
        retryIntervalMs: 300_000,
        retryWindowMs: 86_400_000,
        timeoutMs: 1_000,
        startCircuit: async () => {},
        signal: async (workflowId, _signal, moved) => {
          woken.set(workflowId, moved)
          return true
        },
        log: { warn() {} },
        wakePauseMs: 0,
      })
      const run = <T>(activity: () => Promise<T>) =>
        new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') }).run(activity)
      // The workflow's order.
      await run(() => activities.probeEndpoint(endpointId))
      await run(() => activities.drainEndpoint(endpointId, false))
      return run(() => activities.wakeDeliveries(endpointId))
    },
    async facts({ merchantId, endpointId, events }) {
      const got = receiver.received.map((each) => String(each.headers['webhook-id']))
      const first = events.map((event) => got.indexOf(event))
      const left = await sql`
        SELECT 1 FROM webhook_deliveries
        WHERE endpoint_id = ${endpointId} AND (status <> 'delivered' OR circuit_wait_since IS NOT NULL)`
      return {
        circuit: (await findEndpoint(sql, merchantId, endpointId))?.circuit,
        left: left.length,
        missing: first.filter((at) => at < 0).length,
        inOrder: first.every((at, index) => index === 0 || at > (first[index - 1] ?? 0)),
        woken: events.filter((event) => woken.has(webhookDeliveryId(event, endpointId))).length,
      }
    },
  })
  expect(commits).toBeGreaterThan(WAITING)
}, 180_000)
