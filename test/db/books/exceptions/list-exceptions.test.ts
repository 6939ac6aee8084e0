/** How many rows the list of exceptions reads, of a merchant who has very many: few, for any filter and depth. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ExceptionFilter, listExceptions } from '../../../../db/books/exceptions/list-exceptions.js'
import { inTransaction } from '../../../../db/connect.js'
import { freshDatabase, type TestDatabase } from '../../../support/database.js'

const ROWS = 20_000
const PAGE = 20
/** Most rows that a page may read, in all tables together. */
const FEW = 130

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
  const { sql } = database
  await sql`INSERT INTO merchants (id, name) VALUES ('m1', 'Shop'), ('m2', 'Other')`
  await sql`INSERT INTO persons (id, merchant_id, name) VALUES ('per_1', 'm1', 'Finance')`
  // One of a hundred stands, and half of those are overdue.
  await sql`
    INSERT INTO exceptions (id, merchant_id, kind, detail, cause, status, severity, reason, subject_type, subject_id, payment_id,
                            user_reference, owner, resolution, resolved_at, due_at, created_at, updated_at)
    SELECT 'exc_' || lpad(to_hex(1700000000000 + n), 12, '0') || '7000', CASE WHEN n % 2 = 0 THEN 'm1' ELSE 'm2' END,
           CASE WHEN n % 1000 = 0 THEN 'drift' ELSE 'late' END, 'x', 'c' || n,
           CASE WHEN n % 100 = 0 THEN CASE WHEN n % 300 = 0 THEN 'in_progress' ELSE 'open' END ELSE 'resolved' END,
           'low', 'x', 'payment', 'pay_' || n % 5000, 'pay_' || n % 5000, 'user-' || n % 5000,
           CASE WHEN n % 400 = 0 THEN 'per_1' END, CASE WHEN n % 100 <> 0 THEN 'none' END,
           CASE WHEN n % 100 <> 0 THEN now() END,
           now() + (CASE WHEN n % 200 = 0 THEN -1 ELSE 1 END) * interval '1 hour', now(), now()
    FROM generate_series(1, ${2 * ROWS}) AS n`
  await sql`ANALYZE exceptions`
}, 120_000)
afterAll(() => database?.drop())

async function read(
  filter: ExceptionFilter,
  before: string | null,
): Promise<{ rows: number; found: number }> {
  return inTransaction(database.sql, async (tx) => {
    const count = async () => {
      const [row] = await tx<{ read: number }[]>`
        SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::integer AS read FROM pg_stat_xact_user_tables`
      return row?.read ?? 0
    }
    const start = await count()
    const found = await listExceptions(tx, 'm1', filter, { before, offset: 0, take: PAGE })
    return { rows: (await count()) - start, found: found.length }
  })
}

const deep = `exc_${(1_700_000_000_000 + ROWS).toString(16).padStart(12, '0')}7000`

test.each<[string, ExceptionFilter, string | null, number]>([
  ['all', {}, null, PAGE],
  ['all, deep', {}, deep, PAGE],
  ['a rare kind', { kind: 'drift' }, null, PAGE],
  ['a rare kind, deep', { kind: 'drift' }, deep, PAGE - 1],
  ['open ones', { status: 'open' }, null, PAGE],
  ['those in progress', { status: 'in_progress' }, deep, PAGE],
  ['overdue ones', { overdue: true }, null, PAGE],
  ['those of a person', { owner: 'per_1' }, deep, PAGE],
  ['those of a payment', { paymentId: 'pay_8' }, null, 8],
  ['those of a user', { userReference: 'user-8' }, null, 8],
  ['a kind that stands', { kind: 'drift', status: 'open' }, null, PAGE],
])('reads few rows for %s', async (_, filter, before, found) => {
  const done = await read(filter, before)
  expect(done.found).toBe(found)
  expect(done.rows).toBeLessThan(FEW)
})
