/** Counts what work costs the database: statements, and the rows and bytes that it leaves behind. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Sql } from '../db/connect.js'
import type { Measurement } from './measurement.js'

/** Cost of all the work together. */
export interface Cost {
  /** Statements without those of transaction control. */
  readonly statements: number
  readonly rows: number
  /** Bytes of tables and their indexes. */
  readonly bytes: number
}

/** Tables that grow with time or requests under any work, or that are emptied soon. */
const LEFT_OUT = ['chain_blocks', 'network_fees', 'api_nonces', 'signer_nonces', 'idempotency_keys']
/**
 * Milliseconds for which the idle platform is watched, to subtract its polling from the count. Polls that come
 * every few seconds fall into it several times, also on a busy machine.
 */
const IDLE_MS = 25_000
/** Ratio to the idle platform up to which a statement counts as polling. */
const POLLING = 1.5

/** Runs the work and counts. Statements with `bench_poll` and the polling of idle processes do not count. */
export async function countCost(sql: Sql, work: () => Promise<void>): Promise<Cost> {
  await sql`CREATE EXTENSION IF NOT EXISTS pg_stat_statements`
  await track(sql, 'top')
  try {
    await sql`SELECT pg_stat_statements_reset()`
    await sleep(IDLE_MS)
    const idle = await callsByStatement(sql)
    const before = await size(sql)
    await sql`SELECT pg_stat_statements_reset()`
    const started = performance.now()
    await work()
    const share = (performance.now() - started) / IDLE_MS
    let statements = 0
    for (const [id, calls] of await callsByStatement(sql)) {
      const polled = (idle.get(id) ?? 0) * share
      if (polled === 0 || calls > POLLING * polled + 1) statements += calls - polled
    }
    const after = await size(sql)
    return { statements, rows: after.rows - before.rows, bytes: after.bytes - before.bytes }
  } finally {
    await track(sql, 'none')
  }
}

/**
 * Returns the lines of the table for one of `count` pieces.
 *
 * @param budget - Most statements that are expected. Lines without a budget inform, and have no reference.
 */
export function costLines(
  name: string,
  cost: Cost,
  count: number,
  budget: { readonly statements?: number } = {},
): Measurement[] {
  const line = (what: string, total: number, most?: number): Measurement => ({
    name: `${name}: ${what}`,
    unit: what === 'bytes' ? 'B' : 'each',
    ours: total / count,
    against: most === undefined ? null : 'budget',
    reference: most ?? null,
    ratio: most === undefined ? null : (most * count) / total,
    expected: most === undefined ? null : 1,
  })
  return [
    line('SQL statements', cost.statements, budget.statements),
    line('rows kept', cost.rows),
    line('bytes', cost.bytes),
  ]
}

async function track(sql: Sql, what: 'top' | 'none'): Promise<void> {
  await sql.unsafe(`ALTER SYSTEM SET pg_stat_statements.track = '${what}'`)
  await sql`SELECT pg_reload_conf()`
  // Sessions read the configuration again before their next statement, which takes a moment.
  await sleep(200)
}

async function callsByStatement(sql: Sql): Promise<Map<string, number>> {
  const rows = await sql<{ id: string; calls: number }[]>`
    SELECT queryid::text AS id, sum(calls)::float8 AS calls
    FROM pg_stat_statements JOIN pg_database ON pg_database.oid = dbid
    WHERE datname = current_database() AND query !~* '^\\s*(begin|commit|rollback|savepoint|release|listen|set |alter|select pg_)'
      AND query !~ 'bench_poll'
    GROUP BY queryid`
  return new Map(rows.map((row) => [row.id, row.calls]))
}

async function size(sql: Sql): Promise<{ rows: number; bytes: number }> {
  const tables = await sql<{ name: string; bytes: number }[]>`
    SELECT relname AS name, pg_total_relation_size(oid)::float8 AS bytes FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> ALL (${LEFT_OUT})`
  let rows = 0
  let bytes = 0
  for (const table of tables) {
    const [counted] = await sql<{ rows: number }[]>`SELECT count(*)::float8 AS rows FROM ${sql(table.name)}`
    rows += counted?.rows ?? 0
    bytes += table.bytes
  }
  return { rows, bytes }
}
