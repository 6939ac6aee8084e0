import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { appendEvent } from '../../db/events/append-event.js'
import { newId } from '../../db/new-id.js'
import { startSealer } from '../../workers/sealer.js'
import { webhookDeliveryId } from '../../workflows/ids.js'
import { freshDatabase, type TestDatabase } from '../support/database.js'
import { type TestTemporal, testTemporal } from '../support/temporal.js'

let database: TestDatabase
let temporal: TestTemporal

beforeAll(async () => {
  ;[database, temporal] = await Promise.all([freshDatabase(), testTemporal()])
  await database.sql`INSERT INTO merchants (id, name) VALUES ('m', 'M')`
  await database.sql`
    INSERT INTO webhook_endpoints (id, merchant_id, url, secret_sealed) VALUES ('whe_1', 'm', 'https://shop.example/hook', '')`
})
afterAll(async () => {
  await temporal.close()
  await database.drop()
})

async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const append = () =>
  database.sql.begin((tx) =>
    // Nobody attempts these deliveries, so each is of an object of its own.
    appendEvent(tx, { merchantId: 'm', type: 'webhook.test', subject: newId('dep'), data: {} }),
  )

const startedAt = (eventId: string) => async () => {
  const [row] = await database.sql<{ workflow_started_at: Date | null }[]>`
    SELECT workflow_started_at FROM webhook_deliveries WHERE event_id = ${eventId}`
  return row?.workflow_started_at ?? undefined
}

test('seals what is committed and starts a workflow for each delivery', async () => {
  const sealer = await startSealer({
    sql: database.sql,
    workflowClient: () => temporal.client.workflow,
    log: pino({ level: 'silent' }),
  })
  const eventId = await append()
  await until(startedAt(eventId))
  const description = await temporal.client.workflow.getHandle(webhookDeliveryId(eventId, 'whe_1')).describe()
  expect(description.type).toBe('webhookDelivery')
  await sealer.stop()
})

test('seals while Temporal is out of reach and starts the deliveries when it is back', async () => {
  let reachable = false
  const sealer = await startSealer({
    sql: database.sql,
    workflowClient: () => (reachable ? temporal.client.workflow : null),
    log: pino({ level: 'silent' }),
  })
  const eventId = await append()
  await until(async () => {
    const [row] = await database.sql<
      { sequence: bigint | null }[]
    >`SELECT sequence FROM events WHERE id = ${eventId}`
    return row?.sequence ?? undefined
  })
  expect(await startedAt(eventId)()).toBeUndefined()
  reachable = true
  await until(startedAt(eventId))
  await sealer.stop()
})

test('starts every other delivery while Temporal refuses one, which is put off with an alert', async () => {
  // Temporal takes no workflow id of more than 1,000 characters.
  await database.sql`
    INSERT INTO webhook_endpoints (id, merchant_id, url, secret_sealed, event_types)
    VALUES (${`whe_${'x'.repeat(1_200)}`}, 'm', 'https://shop.example/refused', '', '{signer.online}')`
  const refusedIds: string[] = []
  for (let index = 0; index < 20; index++) {
    refusedIds.push(
      await database.sql.begin((tx) =>
        appendEvent(tx, { merchantId: 'm', type: 'signer.online', subject: newId('dep'), data: {} }),
      ),
    )
  }
  const good = await append()
  const sealer = await startSealer({
    sql: database.sql,
    workflowClient: () => temporal.client.workflow,
    log: pino({ level: 'silent' }),
  })
  await until(startedAt(good))
  await until(async () => {
    const [row] = await database.sql<{ count: number }[]>`
      SELECT count(*)::int AS count FROM alerts WHERE kind = 'webhook_delivery.not_started' AND cleared_at IS NULL`
    return row?.count === refusedIds.length ? true : undefined
  })
  await sealer.stop()
})

test('seals events and starts deliveries while an audit entry cannot be read', async () => {
  await database.sql`ALTER TABLE audit_log RENAME COLUMN action TO no_action`
  const sealer = await startSealer({
    sql: database.sql,
    workflowClient: () => temporal.client.workflow,
    log: pino({ level: 'silent' }),
  })
  await until(startedAt(await append()))
  await sealer.stop()
  await database.sql`ALTER TABLE audit_log RENAME COLUMN no_action TO action`
})
