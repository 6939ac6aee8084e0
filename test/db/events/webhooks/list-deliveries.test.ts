/** Lists of webhook deliveries and figures of endpoints at size: each filter reads what it shows, and little more. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type DeliveryFilter, listDeliveries } from '../../../../db/events/webhooks/list-deliveries.js'
import { measureEndpoint } from '../../../../db/events/webhooks/measure-endpoint.js'
import { freshDatabase, type TestDatabase } from '../../../support/database.js'
import { explainQuery } from '../../../support/explain-query.js'

const DELIVERIES = 200_000
const PAGE = 21
/** Rows of a page: deliveries, their events and attempts, the delivery after which it begins, and some to spare. */
const MOST_READ = 5 * PAGE

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
  const { sql } = database
  await sql`INSERT INTO merchants (id, name) VALUES ('m', 'M'), ('other', 'O')`
  await sql`
    INSERT INTO webhook_endpoints (id, merchant_id, url, secret_sealed) VALUES
      ('whe_busy', 'm', 'https://a.example/', ''), ('whe_rare', 'm', 'https://b.example/', ''),
      ('whe_other', 'other', 'https://c.example/', '')`
  await sql.begin(async (tx) => {
    // Foreign keys are not checked, which takes most of the time.
    await tx`SET LOCAL session_replication_role = replica`
    // One delivery a second. One in 5,000 differs from the others in every way that a filter asks for.
    await tx`
      INSERT INTO events (id, merchant_id, type, subject, occurred_at, data, sequence, body)
      SELECT 'evt_' || lpad(n::text, 8, '0'), CASE WHEN n % 2 = 0 THEN 'm' ELSE 'other' END, 'deposit.status_changed', 'x',
             now(), '{}', n, ''
      FROM generate_series(1, ${DELIVERIES}) n`
    await tx`
      INSERT INTO webhook_deliveries (id, merchant_id, event_id, endpoint_id, status, created_at, event_type, payment_id,
                                      failure_classes, attempts)
      SELECT 'whd_' || lpad(n::text, 8, '0'), CASE WHEN n % 2 = 0 THEN 'm' ELSE 'other' END, 'evt_' || lpad(n::text, 8, '0'),
             CASE WHEN n % 2 = 1 THEN 'whe_other' WHEN rare THEN 'whe_rare' ELSE 'whe_busy' END,
             CASE WHEN rare THEN 'exhausted' ELSE 'delivered' END, '2026-01-01'::timestamptz + n * interval '1 second',
             CASE WHEN rare THEN 'wallet.low_balance' ELSE 'deposit.status_changed' END, CASE WHEN rare THEN 'pay_1' END,
             CASE WHEN rare THEN ARRAY['timeout'] ELSE '{}' END, 1
      FROM generate_series(1, ${DELIVERIES}) n, LATERAL (SELECT n % 5000 = 0 AS rare) AS each`
    await tx`
      INSERT INTO webhook_attempts (delivery_id, number, at, status_code, duration_ms, error, failure_class, endpoint_id, test)
      SELECT id, 1, now() - (${DELIVERIES} - substr(id, 5)::int) * interval '1 second', CASE status WHEN 'delivered' THEN 200 END, 5,
             CASE status WHEN 'exhausted' THEN 'No answer' END, CASE status WHEN 'exhausted' THEN 'timeout' END, endpoint_id, false
      FROM webhook_deliveries`
  })
  await sql`VACUUM ANALYZE events, webhook_deliveries, webhook_attempts`
}, 180_000)
afterAll(() => database?.drop())

const plan = (filter: DeliveryFilter, before: string | null = null) =>
  explainQuery(database.sql, (sql) => listDeliveries(sql, 'm', filter, { before, offset: 0, take: PAGE }))

const day = (text: string) => new Date(`2026-01-${text}T00:00:00Z`)

describe('reads no more than a page', () => {
  test.each<[string, DeliveryFilter]>([
    ['without a filter', {}],
    ['of an endpoint', { endpoint_id: 'whe_rare' }],
    ['of a status', { status: 'exhausted' }],
    ['of a frequent status', { status: 'delivered' }],
    ['of an event', { event: 'wallet.low_balance' }],
    ['of a payment', { payment_id: 'pay_1' }],
    ['of a class of failures', { failure_class: 'timeout' }],
    ['of a class without deliveries', { failure_class: 'blocked' }],
    ['of a window', { from_date: day('02'), to_date: day('03') }],
    ['of an endpoint within a window', { endpoint_id: 'whe_busy', from_date: day('01'), to_date: day('02') }],
  ])('%s, on the first page and on a deep one', async (_name, filter) => {
    for (const before of [null, 'whd_00010000']) {
      const { rowsRead, sequential } = await plan(filter, before)
      expect(rowsRead).toBeLessThanOrEqual(MOST_READ)
      expect(sequential).toBe(false)
    }
  })
})

test('finds by each filter what differs, and all of it', async () => {
  const filters: DeliveryFilter[] = [
    { endpoint_id: 'whe_rare' },
    { status: 'exhausted' },
    { event: 'wallet.low_balance' },
    { payment_id: 'pay_1' },
    { failure_class: 'timeout' },
  ]
  for (const filter of filters) {
    const rows = await listDeliveries(database.sql, 'm', filter, { before: null, offset: 0, take: 100 })
    expect(rows).toHaveLength(DELIVERIES / 5_000)
    expect(rows[0]).toMatchObject({ endpoint_id: 'whe_rare', status: 'exhausted' })
  }
})

test('reads the attempts of the window alone for the figures of an endpoint', async () => {
  const { rowsRead, sequential } = await explainQuery(database.sql, (sql) =>
    measureEndpoint(sql, 'whe_busy', 600_000),
  )
  expect(rowsRead).toBeGreaterThan(100)
  expect(rowsRead).toBeLessThan(700)
  expect(sequential).toBe(false)
})
