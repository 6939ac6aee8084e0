/** The sealer numbers events without a gap and freezes their bytes. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { appendEvent } from '../../../../db/events/log/append-event.js'
import { sealEvents } from '../../../../db/events/log/seal-events.js'
import { freshDatabase, type TestDatabase } from '../../../support/database.js'

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
  await database.sql`INSERT INTO merchants (id, name) VALUES ('m1', 'One'), ('m2', 'Two')`
})
afterAll(() => database.drop())

const append = (merchantId: string, subject: string) =>
  database.sql.begin((tx) =>
    appendEvent(tx, { merchantId, type: 'webhook.test', subject, data: { subject, amount: '0.10' } }),
  )

async function sealed(merchantId: string) {
  return database.sql<{ sequence: bigint; subject: string; body: Buffer }[]>`
    SELECT sequence, subject, body FROM events WHERE merchant_id = ${merchantId} ORDER BY sequence`
}

test('numbers events per merchant without a gap when transactions roll back and commit out of order', async () => {
  await append('m1', 'first')
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const slow = database.sql.begin(async (tx) => {
    await appendEvent(tx, { merchantId: 'm1', type: 'webhook.test', subject: 'slow', data: {} })
    await held
  })
  await database.sql
    .begin(async (tx) => {
      await appendEvent(tx, { merchantId: 'm1', type: 'webhook.test', subject: 'rolled back', data: {} })
      throw new Error('no')
    })
    .catch(() => {})
  await append('m1', 'fast')
  await append('m2', 'other')
  await sealEvents(database.sql)
  release()
  await slow
  await sealEvents(database.sql)
  expect((await sealed('m1')).map((row) => [Number(row.sequence), row.subject])).toEqual([
    [1, 'first'],
    [2, 'fast'],
    [3, 'slow'],
  ])
  expect((await sealed('m2')).map((row) => Number(row.sequence))).toEqual([1])
})

test('freezes the bytes of a sealed event', async () => {
  const [first] = await sealed('m1')
  expect(JSON.parse(first?.body.toString() ?? '')).toMatchObject({
    event: 'webhook.test',
    sequence: 1,
    data: { subject: 'first', amount: '0.10' },
  })
  await expect(database.sql`UPDATE events SET body = 'x' WHERE merchant_id = 'm1'`).rejects.toThrow(/frozen/)
  await expect(database.sql`DELETE FROM events WHERE merchant_id = 'm1'`).rejects.toThrow(/frozen/)
})

test('creates a delivery for each subscribed endpoint, held if the endpoint is disabled', async () => {
  await database.sql`
    INSERT INTO webhook_endpoints (id, merchant_id, url, event_types, status, secret_sealed) VALUES
      ('whe_all', 'm2', 'https://a.example', NULL, 'active', ''), ('whe_some', 'm2', 'https://b.example', '{balance.updated}', 'active', ''),
      ('whe_off', 'm2', 'https://c.example', '{webhook.test}', 'disabled', ''), ('whe_gone', 'm2', 'https://d.example', NULL, 'deleted', ''),
      ('whe_foreign', 'm1', 'https://e.example', NULL, 'active', '')`
  const id = await append('m2', 'routed')
  const rows =
    await database.sql`SELECT endpoint_id, status FROM webhook_deliveries WHERE event_id = ${id} ORDER BY endpoint_id`
  expect([...rows]).toEqual([
    { endpoint_id: 'whe_all', status: 'pending' },
    { endpoint_id: 'whe_off', status: 'held' },
  ])
})

test('numbers every event once with two sealers at once', async () => {
  await Promise.all(Array.from({ length: 60 }, (_, index) => append('m1', `s${index}`)))
  await Promise.all([sealEvents(database.sql), sealEvents(database.sql), sealEvents(database.sql)])
  expect((await sealed('m1')).map((row) => Number(row.sequence))).toEqual(
    Array.from({ length: 63 }, (_, index) => index + 1),
  )
})

test('postpones an event that cannot be sealed with an alert, and leaves no gap in the sequence', async () => {
  await database.sql`INSERT INTO merchants (id, name) VALUES ('m3', 'Three')`
  await database.sql`
    INSERT INTO events (id, merchant_id, type, subject, occurred_at, data)
    VALUES ('evt_bad', 'm3', 'webhook.test', 'bad', 'infinity', '{}')`
  await append('m3', 'good')
  await append('m1', 'of another merchant')
  while ((await sealEvents(database.sql)) > 0);
  const rows = (await sealed('m3')).filter((row) => row.sequence !== null)
  // The exception about it is an event as well.
  expect(rows.map((row) => Number(row.sequence))).toEqual([1, 2])
  expect(rows[0]?.subject).toBe('good')
  expect(JSON.parse(rows[1]?.body.toString() ?? '')).toMatchObject({
    event: 'exception.raised',
    data: { kind: 'stuck', detail: 'event.unsealed', about: 'bad' },
  })
  expect((await sealed('m1')).every((row) => row.sequence !== null)).toBe(true)
})

test('raises an alert but no further exception for an exception that cannot be sealed', async () => {
  await database.sql`INSERT INTO merchants (id, name) VALUES ('m4', 'Four')`
  await database.sql`
    INSERT INTO events (id, merchant_id, type, subject, occurred_at, data)
    VALUES ('evt_bad_exception', 'm4', 'exception.raised', 'bad', 'infinity', '{}')`
  while ((await sealEvents(database.sql)) > 0);
  const alerts = await database.sql`SELECT kind FROM alerts WHERE merchant_id = 'm4'`
  expect([...alerts]).toEqual([{ kind: 'event.unsealed' }])
  const events = await database.sql`SELECT id FROM events WHERE merchant_id = 'm4'`
  expect([...events]).toEqual([{ id: 'evt_bad_exception' }])
})
