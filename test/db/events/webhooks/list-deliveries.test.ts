/** Lists of webhook deliveries and figures of endpoints at size: each filter reads what it shows, and little more. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type DeliveryFilter,
  getDelivery,
  listDeliveries,
} from '../../../../db/events/webhooks/list-deliveries.js'
import { measureEndpoint } from '../../../../db/events/webhooks/measure-endpoint.js'
import { freshDatabase, type TestDatabase } from '../../../support/database.js'
import { explainQuery } from '../../../support/explain-query.js'

const DELIVERIES = 200_000
/** Deliveries of an endpoint that accepted none, long ago. */
const DEAD = 30_000
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
      ('whe_dead', 'm', 'https://d.example/', ''), ('whe_other', 'other', 'https://c.example/', '')`
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
    // Another endpoint of the merchant accepted none of many events.
    await tx`
      INSERT INTO webhook_deliveries (id, merchant_id, event_id, endpoint_id, status, created_at, event_type, failure_classes)
      SELECT 'whd_d' || lpad(n::text, 8, '0'), 'm', 'evt_' || lpad((2 * n)::text, 8, '0'), 'whe_dead',
             CASE n % 2 WHEN 0 THEN 'exhausted' ELSE 'cancelled' END, '2025-06-01'::timestamptz + n * interval '1 second',
             'deposit.status_changed', ARRAY['unreachable']
      FROM generate_series(1, ${DEAD}) n`
    await tx`
      INSERT INTO webhook_attempts (delivery_id, number, at, status_code, duration_ms, error, failure_class, endpoint_id, test)
      SELECT id, 1, now() - (${DELIVERIES} - substr(id, 5)::int) * interval '1 second', CASE status WHEN 'delivered' THEN 200 END, 5,
             CASE status WHEN 'exhausted' THEN 'No answer' END, CASE status WHEN 'exhausted' THEN 'timeout' END, endpoint_id, false
      FROM webhook_deliveries WHERE endpoint_id <> 'whe_dead'`
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
    ['of an endpoint that accepts, and a status', { endpoint_id: 'whe_busy', status: 'exhausted' }],
    ['of an endpoint that accepts, and another status', { endpoint_id: 'whe_busy', status: 'cancelled' }],
    ['of an endpoint that accepts, and a class', { endpoint_id: 'whe_busy', failure_class: 'unreachable' }],
    ['of a dead endpoint and a class', { endpoint_id: 'whe_dead', failure_class: 'unreachable' }],
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
    { status: 'exhausted', from_date: day('01') },
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

test('reads one index alone for the figures of a month', async () => {
  const { indexes, sequential, heapFetches } = await database.sql.begin(async (tx) => {
    // These rows have no answers, so the table is as small as the index.
    await tx`SET LOCAL enable_seqscan = off`
    return explainQuery(tx, (explained) => measureEndpoint(explained, 'whe_busy', 30 * 86_400_000))
  })
  expect(indexes).toContain('webhook_attempts_figures')
  expect([sequential, heapFetches]).toEqual([false, 0])
})

test('shows the newest attempts of each delivery in a list, and all of them of one delivery', async () => {
  const { sql } = database
  const id = 'whd_00005000'
  await sql`
    INSERT INTO webhook_attempts (delivery_id, number, at, duration_ms, error, failure_class, response, endpoint_id, test)
    SELECT ${id}, n, now() - interval '400 days', 5, 'x', 'timeout', repeat('x', 1000), 'whe_rare', false
    FROM generate_series(2, 288) n`
  const page = { before: 'whd_00010000', offset: 0, take: PAGE }
  const listed = await listDeliveries(sql, 'm', { endpoint_id: 'whe_rare' }, page)
  expect(listed.map((row) => [row.id, row.attempts.map(({ number }) => number)])).toEqual([
    [id, Array.from({ length: 10 }, (_, index) => 279 + index)],
  ])
  const one = await getDelivery(sql, 'm', id)
  expect(one?.attempts.map(({ number }) => number)).toEqual(
    Array.from({ length: 288 }, (_, index) => index + 1),
  )
})

test('counts the attempts of a month without keeping each, as plain sums of them say', async () => {
  const { sql } = database
  await sql`UPDATE webhook_attempts SET duration_ms = (number * 7 + substr(delivery_id, 5)::int * 31) % 900
            WHERE endpoint_id = 'whe_busy'`
  const [plain] = await sql`
    SELECT count(*)::int AS attempts, (count(*) FILTER (WHERE error IS NULL))::int AS successes,
           percentile_disc(0.5) WITHIN GROUP (ORDER BY duration_ms) AS p50_ms,
           percentile_disc(0.99) WITHIN GROUP (ORDER BY duration_ms) AS p99_ms
    FROM webhook_attempts WHERE endpoint_id = 'whe_busy'`
  expect(await measureEndpoint(sql, 'whe_busy', 30 * 86_400_000)).toEqual({
    ...plain,
    oldest_undelivered_at: null,
    by_status_code: { 200: plain?.attempts },
    by_failure_class: {},
  })
  const [most] = await sql<{ rows: number }[]>`
    SELECT count(DISTINCT duration_ms)::int AS rows FROM webhook_attempts WHERE endpoint_id = 'whe_busy'`
  const { keptRows } = await explainQuery(sql, (explained) =>
    measureEndpoint(explained, 'whe_busy', 30 * 86_400_000),
  )
  expect(keptRows).toBeGreaterThan(0)
  expect(keptRows).toBeLessThanOrEqual(most?.rows ?? 0)
})
