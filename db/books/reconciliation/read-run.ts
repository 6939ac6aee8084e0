/** Reads runs of the reconciliation, their checks and what these found. */

import type { ReconciliationRun } from '../../../wire/reconciliation.js'
import type { Queryable } from '../../connect.js'
import { networksOf } from '../../page-of.js'
import type { Slice } from '../../slice.js'
import { type CheckRow, type DifferenceRow, type ReconciliationRow, reconciliationView } from './run-row.js'

/** Differences of each check that a run shows itself. The list of differences has more. */
const SHOWN = 100

/** Returns a run of the merchant as the API shows it. `null` if there is none. */
export async function readRun(
  sql: Queryable,
  merchantId: string,
  id: string,
): Promise<ReconciliationRun | null> {
  const row = await findRun(sql, merchantId, id)
  if (!row) return null
  const checks = await listChecks(sql, [id])
  const found = await sql<DifferenceRow[]>`
    SELECT check_name, due, number, data FROM reconciliation_differences
    WHERE run_id = ${id} AND number <= ${SHOWN} ORDER BY check_name, due, number`
  return reconciliationView(row, checks, found)
}

/** Returns the row of a run of the merchant. `null` if there is none. */
export async function findRun(
  sql: Queryable,
  merchantId: string,
  id: string,
): Promise<ReconciliationRow | null> {
  const [row] = await sql<ReconciliationRow[]>`
    SELECT * FROM reconciliation_runs WHERE id = ${id} AND merchant_id = ${merchantId}`
  return row ?? null
}

/** Returns the row of a run that has not ended. `null` if there is none. */
export async function findOpenRun(sql: Queryable, id: string): Promise<ReconciliationRow | null> {
  const [row] = await sql<ReconciliationRow[]>`
    SELECT * FROM reconciliation_runs WHERE id = ${id} AND status = 'running'`
  return row ?? null
}

/** Returns the networks on which a merchant has keys. */
export async function listKeyNetworks(sql: Queryable, merchantId: string): Promise<string[]> {
  const rows = await sql<{ network: string }[]>`${networksOf(sql, merchantId)} ORDER BY network`
  return rows.map(({ network }) => network)
}

/** Returns the networks on which a merchant's accounts of the chain hold something. */
export async function listHeldNetworks(sql: Queryable, merchantId: string): Promise<string[]> {
  const rows = await sql<{ network: string }[]>`
    SELECT DISTINCT network FROM ledger_accounts
    WHERE merchant_id = ${merchantId} AND kind = 'chain' AND balance <> 0 ORDER BY network`
  return rows.map(({ network }) => network)
}

/** Lists the runs of a merchant, newest first, without what their checks found. */
export async function listRuns(sql: Queryable, merchantId: string, slice: Slice) {
  const rows = await sql<ReconciliationRow[]>`
    SELECT * FROM reconciliation_runs
    WHERE merchant_id = ${merchantId} ${slice.before === null ? sql`` : sql`AND id < ${slice.before}`}
    ORDER BY id DESC OFFSET ${slice.offset} LIMIT ${slice.take}`
  const checks = await listChecks(
    sql,
    rows.map((row) => row.id),
  )
  return rows.map((row) => ({
    ...reconciliationView(
      row,
      checks.filter((check) => check.run_id === row.id),
      [],
    ),
    checks: [],
  }))
}

/** Lists what a check of a run found, in the order in which it was found. `slice.before` is the last number shown. */
export async function listDifferences(
  sql: Queryable,
  check: { readonly runId: string; readonly name: string; readonly due: boolean },
  slice: Slice,
): Promise<DifferenceRow[]> {
  const after = Number(slice.before ?? 0)
  return sql<DifferenceRow[]>`
    SELECT check_name, due, number, data FROM reconciliation_differences
    WHERE run_id = ${check.runId} AND check_name = ${check.name} AND due = ${check.due} AND number > ${Number.isSafeInteger(after) ? after : 0}::bigint
    ORDER BY number OFFSET ${slice.offset} LIMIT ${slice.take}`
}

async function listChecks(sql: Queryable, runIds: readonly string[]): Promise<CheckRow[]> {
  return sql<CheckRow[]>`
    SELECT run_id, name, examined, differences, expected FROM reconciliation_checks
    WHERE run_id = ANY (${[...runIds]}) AND finished_at IS NOT NULL AND failure_code IS NULL
    ORDER BY run_id, place`
}
