/** How many rows the sealer reads to find deliveries to start, beside an endpoint that takes none of its very many. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { inTransaction, type Transaction } from '../../../../db/connect.js'
import { appendEvent } from '../../../../db/events/log/append-event.js'
import { markDeliveriesStarted } from '../../../../db/events/log/mark-deliveries-started.js'
import { sealEvents } from '../../../../db/events/log/seal-events.js'
import type { UnstartedKind } from '../../../../db/events/log/startable-deliveries.js'
import { unstartedDeliveries } from '../../../../db/events/log/unstarted-deliveries.js'
import { moveEndpoint } from '../../../../db/events/webhooks/move-endpoint.js'
import { newId } from '../../../../db/new-id.js'
import { changeEndpoint } from '../../../stage/change-endpoint.js'
import { freshDatabase, type TestDatabase } from '../../../support/database.js'

const BACKLOG = 20_000
/** Most rows that may be read. The 50 deliveries that have begun are read too. */
const FEW = 400

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
  const { sql } = database
  await sql`INSERT INTO merchants (id, name) VALUES ('m', 'M')`
  await sql`
    INSERT INTO webhook_endpoints (id, merchant_id, url, secret_sealed, event_types) VALUES
      ('whe_busy', 'm', 'https://busy.example/', '', '{signer.offline}'),
      ('whe_fine', 'm', 'https://fine.example/', '', '{signer.online}')`
  await sql`
    INSERT INTO events (id, merchant_id, type, subject, occurred_at, data, sequence, body)
    SELECT 'evt_' || n, 'm', 'signer.offline', 'sig_' || n, now(), '{}', n, '' FROM generate_series(1, ${BACKLOG}::int) AS n`
  await sql`
    INSERT INTO webhook_deliveries (id, merchant_id, event_id, endpoint_id, event_type, created_at)
    SELECT 'whd_' || n || '_busy', 'm', 'evt_' || n, 'whe_busy', 'signer.offline', now() - interval '1 hour' + n * interval '1 ms'
    FROM generate_series(1, ${BACKLOG}::int) AS n`
  await sql`ANALYZE`
}, 120_000)
afterAll(() => database?.drop())

/** Returns how many rows the call reads from all tables, and the endpoints of the deliveries that it finds. */
async function find(tx: Transaction, kind: UnstartedKind, most = 16) {
  const count = async () => {
    const [row] = await tx<{ read: number }[]>`
      SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::integer AS read FROM pg_stat_xact_user_tables`
    return row?.read ?? 0
  }
  const before = await count()
  const found = await unstartedDeliveries(tx, kind, most)
  return { read: (await count()) - before, found: found.map((each) => each.id) }
}

/** Runs in a transaction that is rolled back, with a delivery for the other endpoint. */
async function beside(work: (tx: Transaction, other: string) => Promise<void>): Promise<void> {
  const undo = new Error('rolled back')
  const run = inTransaction(database.sql, async (tx) => {
    const event = newId('evt')
    await tx`
      INSERT INTO events (id, merchant_id, type, subject, occurred_at, data, sequence, body)
      VALUES (${event}, 'm', 'signer.online', 'sig_other', now(), '{}', ${BACKLOG + 1}, '')`
    await tx`
      INSERT INTO webhook_deliveries (id, merchant_id, event_id, endpoint_id, event_type)
      VALUES ('whd_other', 'm', ${event}, 'whe_fine', 'signer.online')`
    await work(tx, 'whd_other')
    throw undo
  })
  await expect(run).rejects.toBe(undo)
}

test.each<[string, (tx: Transaction) => Promise<unknown>, UnstartedKind, boolean]>([
  [
    'that has 50 deliveries under way',
    (tx) => tx`UPDATE webhook_deliveries SET workflow_started_at = clock_timestamp() WHERE id IN (
      SELECT 'whd_' || n || '_busy' FROM generate_series(1, 50) AS n)`,
    'sendable',
    true,
  ],
  [
    'whose deliveries take turns',
    (tx) =>
      tx`UPDATE webhook_deliveries SET turn = 1, workflow_started_at = clock_timestamp() WHERE id = 'whd_1_busy'`,
    'sendable',
    true,
  ],
  [
    'whose circuit is open',
    (tx) => tx`INSERT INTO webhook_circuits (endpoint_id, state) VALUES ('whe_busy', 'open')`,
    'sendable',
    true,
  ],
  [
    'that was paused a moment ago',
    (tx) => tx`UPDATE webhook_endpoints SET status = 'paused' WHERE id = 'whe_busy'`,
    'sendable',
    true,
  ],
  [
    'that was deleted a moment ago',
    (tx) => tx`UPDATE webhook_endpoints SET status = 'deleted' WHERE id = 'whe_busy'`,
    'sendable',
    true,
  ],
  ['whose circuit is closed, for deliveries that will wait', () => Promise.resolve(), 'waiting', false],
])('few rows are read beside an endpoint %s', async (_, arrange, kind, finds) => {
  await beside(async (tx, other) => {
    await arrange(tx)
    const { read, found } = await find(tx, kind)
    expect(found).toEqual(finds ? [other] : [])
    expect(read).toBeLessThan(FEW)
  })
})

test('few rows are read of an endpoint with very many, and the oldest are found', async () => {
  await beside(async (tx) => {
    const { read, found } = await find(tx, 'sendable')
    expect(found).toEqual(Array.from({ length: 16 }, (_each, index) => `whd_${index + 1}_busy`))
    expect(read).toBeLessThan(FEW)
  })
})

test('few rows are read for new deliveries behind very many that became pending again', async () => {
  await beside(async (tx, other) => {
    await tx`UPDATE webhook_deliveries SET restarts = 1 WHERE endpoint_id = 'whe_busy'`
    const { read, found } = await find(tx, 'sendable')
    expect(found[0]).toBe(other)
    expect(read).toBeLessThan(FEW)
  })
})

test('a released delivery whose event cannot be sealed keeps no new ones of its endpoint waiting', async () => {
  const { sql } = database
  await sql`UPDATE webhook_endpoints SET status = 'paused' WHERE id = 'whe_busy'`
  await sql`INSERT INTO merchants (id, name) VALUES ('n', 'N')`
  await sql`
    INSERT INTO webhook_endpoints (id, merchant_id, url, secret_sealed)
    VALUES ('whe_n', 'n', 'https://shop.example/', '')`
  const move = (status: 'paused' | 'active') =>
    changeEndpoint(sql, 'whe_n', (tx) => moveEndpoint(tx, 'n', 'whe_n', status))
  const append = () =>
    sql.begin((tx) =>
      appendEvent(tx, { merchantId: 'n', type: 'signer.online', subject: newId('sig'), data: {} }),
    )
  const start = async () => {
    const found = (await unstartedDeliveries(sql, 'sendable', 1_000)).filter(
      (each) => each.merchantId === 'n',
    )
    await markDeliveriesStarted(sql, found)
    return found.map((each) => each.eventId)
  }
  await move('paused')
  const broken = await append()
  await sql`UPDATE events SET seal_failures = 1, seal_after = now() + interval '1 hour' WHERE id = ${broken}`
  await move('active')
  const fresh = await append()
  while ((await sealEvents(sql)) > 0) {}
  expect(await start()).toEqual([fresh])
})

test('a released delivery waits for a held one of an earlier event, which is released later', async () => {
  await beside(async (tx) => {
    await tx`UPDATE webhook_deliveries SET status = 'cancelled' WHERE id NOT IN ('whd_1_busy', 'whd_2_busy')`
    await tx`UPDATE webhook_endpoints SET status = 'active'`
    await tx`UPDATE webhook_deliveries SET status = 'held' WHERE id = 'whd_1_busy'`
    await tx`UPDATE webhook_deliveries SET turn = event.position FROM events event
             WHERE event.id = event_id AND webhook_deliveries.id = 'whd_2_busy'`
    expect((await find(tx, 'sendable')).found).toEqual([])
    await tx`UPDATE webhook_deliveries SET status = 'pending', turn = event.position FROM events event
             WHERE event.id = event_id AND webhook_deliveries.id = 'whd_1_busy'`
    expect((await find(tx, 'sendable')).found).toEqual(['whd_1_busy'])
  })
})

test('the earlier events of each delivery are looked up one by one when a burst follows a quiet time', async () => {
  const BURST = 300
  const SUBJECTS = 100
  const quiet = await freshDatabase()
  const { sql } = quiet
  try {
    // The statistics know no pending delivery, as after a day on which each was delivered at once.
    await sql.unsafe(
      'ALTER TABLE webhook_deliveries SET (autovacuum_enabled = false); ALTER TABLE events SET (autovacuum_enabled = false)',
    )
    await sql`INSERT INTO merchants (id, name) VALUES ('m', 'M')`
    await sql`
      INSERT INTO webhook_endpoints (id, merchant_id, url, secret_sealed, event_types)
      VALUES ('whe_1', 'm', 'https://merchant.example/', '', '{signer.offline}')`
    const fill = (first: number, status: string) => sql`
      WITH happened AS (
        INSERT INTO events (id, merchant_id, type, subject, occurred_at, data, sequence, body)
        SELECT 'evt_' || n, 'm', 'signer.offline', 'sig_' || n % ${SUBJECTS}::int, now(), '{}', n, ''
        FROM generate_series(${first}::int, ${first + BURST - 1}::int) AS n RETURNING id)
      INSERT INTO webhook_deliveries (id, merchant_id, event_id, endpoint_id, event_type, status, attempts)
      SELECT 'whd_' || id, 'm', id, 'whe_1', 'signer.offline', ${status}, ${status === 'pending' ? 0 : 1} FROM happened`
    for (let round = 0; round < 5; round++) await fill(1 + round * BURST, 'delivered')
    await sql`ANALYZE`
    await fill(1 + 5 * BURST, 'pending')
    await inTransaction(sql, async (tx) => {
      const { read, found } = await find(tx, 'sendable', BURST)
      expect(found).toHaveLength(SUBJECTS)
      expect(read).toBeLessThan(BURST * 30)
    })
  } finally {
    await quiet.drop()
  }
})
