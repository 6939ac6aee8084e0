/** The sealer process, with Temporal away and with refused deliveries. */

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { Client } from '@temporalio/client'
import { NativeConnection } from '@temporalio/worker'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { appendEvent } from '../../db/events/log/append-event.js'
import { appendEvents } from '../../db/events/log/append-events.js'
import { sealEvents } from '../../db/events/log/seal-events.js'
import { unstartedDeliveries } from '../../db/events/log/unstarted-deliveries.js'
import { newId } from '../../db/new-id.js'
import { webhookDeliveryId } from '../../temporal/ids.js'
import { isTemporalOutage } from '../../temporal/temporal-outage.js'
import { startSealer } from '../../workers/sealer.js'
import { startDeliveries } from '../../workers/start-deliveries.js'
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

/** Starts a proxy of a server. While it is interrupted, it refuses connections. */
async function startProxy(target: string) {
  const { hostname, port: to } = new URL(`tcp://${target}`)
  const sockets = new Set<Socket>()
  let server: Server
  const listen = async (port: number) => {
    server = createServer((socket) => {
      const other = connect(Number(to), hostname)
      for (const each of [socket, other]) sockets.add(each.on('error', () => {}))
      socket.pipe(other).pipe(socket)
    }).listen(port, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }
  const port = await listen(0)
  return {
    address: `127.0.0.1:${port}`,
    async interrupt() {
      const closed = once(server.close(), 'close')
      for (const socket of sockets) socket.destroy()
      await closed
    },
    resume: () => listen(port),
  }
}

const append = () =>
  database.sql.begin((tx) =>
    // No worker attempts these deliveries, so each is of an object of its own.
    appendEvent(tx, { merchantId: 'm', type: 'webhook.test', subject: newId('dep'), data: {} }),
  )

const startedAt = (eventId: string) => async () => {
  const [row] = await database.sql<{ workflow_started_at: Date | null }[]>`
    SELECT workflow_started_at FROM webhook_deliveries WHERE event_id = ${eventId}`
  return row?.workflow_started_at ?? undefined
}

test('seals committed events and starts a workflow for each delivery', async () => {
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

test('seals while Temporal is out of reach and starts the deliveries when it returns', async () => {
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

test('starts a delivery when Temporal returns that went away from the connection of the worker', async () => {
  const proxy = await startProxy(temporal.address)
  const connection = await NativeConnection.connect({ address: proxy.address })
  const { workflow } = new Client({ connection, namespace: temporal.namespace })
  const eventId = await append()
  while ((await sealEvents(database.sql)) > 0) {}
  const start = () =>
    startDeliveries(
      database.sql,
      { client: temporal.client.workflow, eager: workflow },
      pino({ level: 'silent' }),
      'sendable',
    )
  await proxy.interrupt()
  const outage = await start().catch((error: unknown) => error)
  expect(isTemporalOutage(outage)).toBe(true)
  const [row] = await database.sql`
    SELECT workflow_started_at, start_failures FROM webhook_deliveries WHERE event_id = ${eventId}`
  expect(row).toMatchObject({ workflow_started_at: null, start_failures: 0 })
  await proxy.resume()
  await start()
  expect(await startedAt(eventId)()).toBeInstanceOf(Date)
  await connection.close()
  await proxy.interrupt()
})

test('starts every other delivery while Temporal refuses one, which it postpones with an alert', async () => {
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

test('delivers the alert about a failed start without raising another alert', async () => {
  await database.sql`INSERT INTO merchants (id, name) VALUES ('m2', 'Two')`
  await database.sql`
    INSERT INTO webhook_endpoints (id, merchant_id, url, secret_sealed) VALUES
      (${`whe_${'y'.repeat(1_200)}`}, 'm2', 'https://shop.example/refused', ''), ('whe_well', 'm2', 'https://shop.example/hook', '')`
  await database.sql.begin((tx) =>
    appendEvent(tx, { merchantId: 'm2', type: 'webhook.test', subject: 'x', data: {} }),
  )
  const sealer = await startSealer({
    sql: database.sql,
    workflowClient: () => temporal.client.workflow,
    log: pino({ level: 'silent' }),
  })
  const types = async (started: boolean) => {
    const rows = await database.sql<{ type: string }[]>`
      SELECT event.type FROM webhook_deliveries delivery JOIN events event ON event.id = delivery.event_id
      WHERE event.merchant_id = 'm2'
        AND CASE WHEN ${started} THEN delivery.workflow_started_at IS NOT NULL ELSE delivery.start_failures > 0 END
      ORDER BY event.type`
    return rows.map(({ type }) => type)
  }
  const both = ['exception.raised', 'webhook.test']
  await until(async () => {
    const [put, done] = [await types(false), await types(true)]
    return put.length + done.length >= 2 * both.length ? true : undefined
  })
  // Time for another round, should there be one.
  await new Promise((resolve) => setTimeout(resolve, 500))
  await sealer.stop()
  expect([await types(false), await types(true)]).toEqual([both, both])
  const [alerts] = await database.sql<{ count: number }[]>`
    SELECT count(*)::int AS count FROM alerts WHERE merchant_id = 'm2' AND kind = 'webhook_delivery.not_started'`
  expect(alerts).toEqual({ count: 2 })
})

test('postpones no delivery while Temporal does not find its namespace', async () => {
  const elsewhere = new Client({ connection: temporal.connection, namespace: 'nowhere' })
  const eventId = await append()
  while ((await sealEvents(database.sql)) > 0);
  const errors: string[] = []
  const sealer = await startSealer({
    sql: database.sql,
    workflowClient: () => elsewhere.workflow,
    log: pino({ level: 'error' }, { write: (line) => errors.push(line) }),
  })
  await until(async () => errors.find((line) => line.includes('Namespace not found')))
  await sealer.stop()
  const rows = await database.sql`
    SELECT start_failures, workflow_started_at FROM webhook_deliveries WHERE event_id = ${eventId}`
  expect([...rows]).toEqual([{ start_failures: 0, workflow_started_at: null }])
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

test('starts a delivery that will be sent before those that only wait for a circuit', async () => {
  const { sql } = database
  await sql`
    INSERT INTO webhook_endpoints (id, merchant_id, url, secret_sealed, event_types) VALUES
      ('whe_dead', 'm', 'https://dead.example/', '', '{signer.offline}'),
      ('whe_live', 'm', 'https://live.example/', '', '{wallet.low_balance}')`
  await sql`INSERT INTO webhook_circuits (endpoint_id, state) VALUES ('whe_dead', 'open')`
  const happen = (type: 'signer.offline' | 'wallet.low_balance') =>
    sql.begin((tx) => appendEvent(tx, { merchantId: 'm', type, subject: newId('dep'), data: {} }))
  const dead: string[] = []
  for (let number = 0; number < 30; number += 1) dead.push(await happen('signer.offline'))
  const live = await happen('wallet.low_balance')
  while ((await sealEvents(sql)) > 0) {}
  const ofEndpoint = async (kind: 'sendable' | 'waiting', endpointId: string, most: number) =>
    (await unstartedDeliveries(sql, kind, most)).flatMap((each) =>
      each.endpointId === endpointId ? [each.eventId] : [],
    )
  expect(await ofEndpoint('sendable', 'whe_live', 1_000)).toEqual([live])
  expect(await ofEndpoint('sendable', 'whe_dead', 1_000)).toEqual([])
  expect(await ofEndpoint('waiting', 'whe_dead', 25)).toEqual(dead.slice(0, 25))
  // What a person requests is sent, and so waits for none of them.
  await sql`UPDATE webhook_deliveries SET requested = true WHERE event_id = ${dead[29] ?? ''} AND endpoint_id = 'whe_dead'`
  expect(await ofEndpoint('sendable', 'whe_dead', 1_000)).toEqual([dead[29]])
})

test('starts no more of one endpoint than the workers take, and all others at once', async () => {
  const { sql } = database
  await sql`
    INSERT INTO webhook_endpoints (id, merchant_id, url, secret_sealed, event_types) VALUES
      ('whe_slow', 'm', 'https://slow.example/', '', '{policy.status_changed}'),
      ('whe_fine', 'm', 'https://fine.example/', '', '{batch.status_changed}')`
  await sql`
    UPDATE webhook_deliveries SET status = 'cancelled' WHERE status = 'pending' AND workflow_started_at IS NULL`
  const events = (type: 'policy.status_changed' | 'batch.status_changed', count: number) =>
    sql.begin((tx) =>
      appendEvents(
        tx,
        Array.from({ length: count }, () => ({ merchantId: 'm', type, subject: newId('dep'), data: {} })),
      ),
    )
  await events('policy.status_changed', 300)
  const [fine = ''] = await events('batch.status_changed', 1)
  await sql`
    UPDATE webhook_deliveries SET status = 'cancelled'
    WHERE status = 'pending' AND workflow_started_at IS NULL AND endpoint_id NOT IN ('whe_slow', 'whe_fine')`
  while ((await sealEvents(sql)) > 0) {}
  const start = () =>
    startDeliveries(sql, { client: temporal.client.workflow }, pino({ level: 'silent' }), 'sendable')
  const begun = async () => {
    const [row] = await sql<{ count: number }[]>`
      SELECT count(*)::int FROM webhook_deliveries
      WHERE endpoint_id = 'whe_slow' AND workflow_started_at IS NOT NULL`
    return row?.count ?? 0
  }
  // No worker runs, so none of them gets a result.
  expect(await start()).toBe('more')
  await start()
  expect(await start()).toBe('full')
  expect(await begun()).toBe(100)
  const [other] = await sql`
    SELECT workflow_started_at FROM webhook_deliveries WHERE event_id = ${fine} AND endpoint_id = 'whe_fine'`
  expect(other?.workflow_started_at).toBeInstanceOf(Date)
  await sql`
    UPDATE webhook_deliveries SET attempts = 1
    WHERE endpoint_id = 'whe_slow' AND workflow_started_at IS NOT NULL`
  await start()
  expect(await begun()).toBe(200)
})

test('starts a new delivery before older ones that became pending again', async () => {
  const { sql } = database
  await sql`
    INSERT INTO webhook_endpoints (id, merchant_id, url, secret_sealed, event_types) VALUES
      ('whe_replayed', 'm', 'https://replayed.example/', '', '{signer.online}'),
      ('whe_new', 'm', 'https://new.example/', '', '{wallet.low_balance}')`
  const happen = (type: 'signer.online' | 'wallet.low_balance') =>
    sql.begin((tx) => appendEvent(tx, { merchantId: 'm', type, subject: newId('dep'), data: {} }))
  const old: string[] = []
  for (let number = 0; number < 3; number += 1) old.push(await happen('signer.online'))
  const fresh = await happen('wallet.low_balance')
  while ((await sealEvents(sql)) > 0) {}
  await sql`
    UPDATE webhook_deliveries SET status = 'cancelled'
    WHERE status = 'pending' AND workflow_started_at IS NULL AND endpoint_id NOT IN ('whe_replayed', 'whe_new')`
  await sql`
    UPDATE webhook_deliveries SET attempts = 1, restarts = 1 WHERE endpoint_id = 'whe_replayed'`
  const order = async () => (await unstartedDeliveries(sql, 'sendable', 3)).map((each) => each.eventId)
  expect(await order()).toEqual([fresh, old[0], old[1]])
  // A person waits for a single one.
  await sql`UPDATE webhook_deliveries SET requested = true WHERE event_id = ${old[2] ?? ''} AND endpoint_id = 'whe_replayed'`
  expect(await order()).toEqual([old[2], fresh, old[0]])
})
