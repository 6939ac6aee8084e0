/** Moves a run of the reconciliation: plans its checks, stores what each found, and ends it. */

import {
  type CheckName,
  type Difference,
  type DifferenceAbout,
  driftOf,
  type Findings,
} from '../../../domain/books/difference.js'
import { inTransaction, json, type Sql, type Transaction } from '../../connect.js'
import type { ReconciliationRow, RunBlock } from './run-row.js'

/** Differences of one INSERT. */
const ROWS = 500

/**
 * Claims a run for its workflow.
 *
 * @returns The row. `busy` while an older run of the merchant is open, because runs of a merchant take turns.
 * `null` if it has ended.
 */
export async function claimRun(sql: Sql, id: string): Promise<ReconciliationRow | 'busy' | null> {
  const [row] = await sql<(ReconciliationRow & { readonly older: boolean })[]>`
    UPDATE reconciliation_runs run SET touched_at = clock_timestamp()
    WHERE id = ${id} AND status = 'running'
    RETURNING *, EXISTS (
      SELECT FROM reconciliation_runs other
      WHERE other.merchant_id = run.merchant_id AND other.status = 'running' AND other.id < run.id) AS older`
  if (!row) return null
  return row.older ? 'busy' : row
}

/** Stores which checks a run makes. A second call changes nothing. @returns The checks that are not done. */
export async function planChecks(sql: Sql, id: string, names: readonly CheckName[]): Promise<CheckName[]> {
  return inTransaction(sql, async (tx) => {
    await tx`
      UPDATE reconciliation_runs SET planned = coalesce(planned, ${[...names]}::text[]), touched_at = clock_timestamp()
      WHERE id = ${id} AND status = 'running'`
    await tx`
      INSERT INTO reconciliation_checks (run_id, name, place)
      SELECT id, name, place FROM reconciliation_runs run
      CROSS JOIN LATERAL unnest(run.planned) WITH ORDINALITY AS plan (name, place)
      WHERE id = ${id} AND status = 'running'
      ON CONFLICT DO NOTHING`
    const open = await tx<{ name: CheckName }[]>`
      SELECT name FROM reconciliation_checks WHERE run_id = ${id} AND finished_at IS NULL ORDER BY place`
    return open.map(({ name }) => name)
  })
}

/** Stores how far a check is. */
export async function touchRun(sql: Sql, id: string, name: CheckName, examined: number): Promise<void> {
  await sql`
    WITH run AS (UPDATE reconciliation_runs SET touched_at = clock_timestamp() WHERE id = ${id} RETURNING id)
    UPDATE reconciliation_checks SET examined = ${examined}
    WHERE run_id = (SELECT id FROM run) AND name = ${name} AND finished_at IS NULL`
}

/**
 * Stores what a check found. A second call, after a reply was lost, changes nothing. Only the first differences
 * are stored; the counts are of all.
 *
 * @param block - Block at which the chain was compared.
 */
export async function storeCheck(
  sql: Sql,
  id: string,
  name: CheckName,
  { findings, examined, block }: { findings: Findings; examined: number; block?: RunBlock },
): Promise<void> {
  await inTransaction(sql, async (tx) => {
    const [run] = await tx`SELECT FROM reconciliation_runs WHERE id = ${id} AND status = 'running' FOR UPDATE`
    if (!run) return
    const { count } = await tx`
      UPDATE reconciliation_checks
      SET examined = ${examined}, differences = ${findings.differenceCount}, expected = ${findings.expectedCount},
          finished_at = clock_timestamp()
      WHERE run_id = ${id} AND name = ${name} AND finished_at IS NULL`
    if (count === 0) return
    const about = findings.differences.map((each, at) => findings.about[at] ?? driftOf(name, each))
    await insertDifferences(tx, id, name, true, findings.differences, about)
    await insertDifferences(tx, id, name, false, findings.expected, [])
    await tx`
      UPDATE reconciliation_runs
      SET touched_at = clock_timestamp(), blocks = blocks || ${json(tx, block === undefined ? [] : [block])}::jsonb
      WHERE id = ${id}`
  })
}

/** Stores that a check could not be made. The run goes on with the others, and fails at its end. */
export async function failCheck(
  sql: Sql,
  id: string,
  name: string,
  { code, message }: { readonly code: string; readonly message: string },
): Promise<void> {
  await sql`
    UPDATE reconciliation_checks
    SET failure_code = ${code}, failure_message = ${message}, finished_at = clock_timestamp()
    WHERE run_id = ${id} AND name = ${name} AND finished_at IS NULL`
}

/** Ends a run whose checks are all done. A second call changes nothing. */
export async function endRun(sql: Sql, id: string): Promise<void> {
  await sql`
    WITH failed AS (
      SELECT failure_code, failure_message FROM reconciliation_checks
      WHERE run_id = ${id} AND failure_code IS NOT NULL ORDER BY place LIMIT 1
    )
    UPDATE reconciliation_runs SET finished_at = clock_timestamp(), touched_at = clock_timestamp(),
      failure_code = (SELECT failure_code FROM failed), failure_message = (SELECT failure_message FROM failed),
      status = CASE
        WHEN EXISTS (SELECT FROM failed) THEN 'failed'
        WHEN EXISTS (SELECT FROM reconciliation_checks WHERE run_id = ${id} AND differences > 0) THEN 'differences'
        ELSE 'clean' END
    WHERE id = ${id} AND status = 'running'
      AND NOT EXISTS (SELECT FROM reconciliation_checks WHERE run_id = ${id} AND finished_at IS NULL)`
}

/** Ends a run of which a check could not be made. Nothing changes where it has ended. */
export async function failRun(
  sql: Sql,
  id: string,
  { code, message }: { readonly code: string; readonly message: string },
): Promise<void> {
  await sql`
    UPDATE reconciliation_runs
    SET status = 'failed', failure_code = ${code}, failure_message = ${message},
        finished_at = clock_timestamp(), touched_at = clock_timestamp()
    WHERE id = ${id} AND status = 'running'`
}

async function insertDifferences(
  tx: Transaction,
  id: string,
  name: CheckName,
  due: boolean,
  differences: readonly Difference[],
  about: readonly DifferenceAbout[],
): Promise<void> {
  for (let start = 0; start < differences.length; start += ROWS) {
    const rows = differences
      .slice(start, start + ROWS)
      .map((difference, at) => ({ difference, about: about[start + at] ?? null }))
    await tx`
      INSERT INTO reconciliation_differences (run_id, check_name, due, number, data, about)
      SELECT ${id}, ${name}, ${due}, ${start}::integer + place, data -> 'difference', nullif(data -> 'about', 'null')
      FROM jsonb_array_elements(${json(tx, rows)}::jsonb) WITH ORDINALITY AS each (data, place)`
  }
}
