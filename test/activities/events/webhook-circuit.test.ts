/** One delivery of which our own part always fails keeps neither the circuit of its endpoint open nor others waiting. */

import { randomBytes } from 'node:crypto'
import { MockActivityEnvironment } from '@temporalio/testing'
import { DefaultLogger } from '@temporalio/worker'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createWebhookCircuitActivities } from '../../../activities/events/webhook-circuit.js'
import { appendEvent } from '../../../db/events/log/append-event.js'
import { sealEvents } from '../../../db/events/log/seal-events.js'
import { findCircuit } from '../../../db/events/webhooks/find-circuit.js'
import { closeCircuit } from '../../../db/events/webhooks/move-circuit.js'
import { waitForCircuit } from '../../../db/events/webhooks/wait-for-circuit.js'
import { newId } from '../../../db/new-id.js'
import { formatWebhookSecret } from '../../../domain/events/webhook-signature.js'
import { createEndpointGate } from '../../../egress/endpoint-gate.js'
import { webhookDeliveryId } from '../../../temporal/ids.js'
import { sealSecret } from '../../../vault/seal-secret.js'
import { freshDatabase, type TestDatabase } from '../../support/database.js'

const MASTER_KEY = '44'.repeat(32)

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database?.drop())

/** Creates an endpoint with an open circuit, and deliveries that wait for it. */
async function waitingAtCircuit(count: number) {
  const { sql } = database
  const merchantId = newId('mer')
  const endpointId = newId('whe')
  const secret = sealSecret(MASTER_KEY, Buffer.from(formatWebhookSecret(randomBytes(32))), {
    table: 'webhook_endpoints',
    key: [endpointId],
  })
  await sql`INSERT INTO merchants (id, name) VALUES (${merchantId}, 'M')`
  await sql`
    INSERT INTO webhook_endpoints (id, merchant_id, url, secret_sealed)
    VALUES (${endpointId}, ${merchantId}, 'https://shop.example/', ${secret})`
  await sql`INSERT INTO webhook_circuits (endpoint_id, state) VALUES (${endpointId}, 'open')`
  const events: string[] = []
  for (let made = 0; made < count; made += 1) {
    const event = await sql.begin((tx) =>
      appendEvent(tx, { merchantId, type: 'webhook.test', subject: newId('dep'), data: {} }),
    )
    events.push(event)
    while ((await sealEvents(sql)) > 0) {}
    await waitForCircuit(sql, `whd_${event.slice(4)}_${endpointId.slice(4)}`)
  }
  const poison = events[0] ?? ''
  const woken: string[] = []
  const activities = createWebhookCircuitActivities({
    sql,
    masterKeys: [MASTER_KEY],
    sender: {
      async send({ headers }) {
        if (headers['webhook-id'] === poison) throw new Error('A fault of our own')
        return {
          statusCode: 200,
          error: null,
          failureClass: null,
          response: null,
          durationMs: 1,
          timedOut: false,
        }
      },
      async close() {},
    },
    gate: createEndpointGate({ maxDelayMs: 1_000 }),
    retryIntervalMs: 0,
    retryWindowMs: 86_400_000,
    timeoutMs: 1_000,
    startCircuit: async () => {},
    async signal(workflowId) {
      if (workflowId === webhookDeliveryId(poison, endpointId)) throw new Error('A fault of our own')
      woken.push(workflowId)
      return true
    },
    log: { warn() {} },
    wakePauseMs: 0,
  })
  const run = <T>(activity: () => Promise<T>) =>
    new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') }).run(activity)
  return {
    endpointId,
    woken,
    others: events.slice(1).map((event) => webhookDeliveryId(event, endpointId)),
    probe: () => run(() => activities.probeEndpoint(endpointId)),
    wake: () => run(() => activities.wakeDeliveries(endpointId)),
  }
}

test('wakes all other workflows', async () => {
  const { endpointId, others, woken, wake } = await waitingAtCircuit(4)
  await closeCircuit(database.sql, endpointId, null)
  expect(await wake()).toBe(false)
  expect(woken).toEqual(others)
})

test('lets another delivery be the probe in its turn', async () => {
  const { endpointId, probe } = await waitingAtCircuit(2)
  for (let probes = 0; probes < 12; probes += 1) await probe()
  expect(await findCircuit(database.sql, endpointId)).toMatchObject({ state: 'half_open' })
})
