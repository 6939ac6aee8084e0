/** Declares the row of a run of the reconciliation, and makes the shape in which the API shows it. */

import type { Difference, ReconciliationScope } from '../../../domain/books/difference.js'
import type { ReconciliationCheck, ReconciliationRun } from '../../../wire/reconciliation.js'

/** Cause of a run. */
export type ReconciliationCause = ReconciliationRun['cause']

export interface ReconciliationRow {
  readonly id: string
  readonly merchant_id: string
  readonly status: ReconciliationRun['status']
  readonly cause: ReconciliationCause
  readonly scope: readonly ReconciliationScope[]
  readonly networks: readonly string[] | null
  readonly at_block: bigint | null
  readonly blocks: readonly RunBlock[]
  /** Names of the checks, in their order. `null` until its workflow has begun. */
  readonly planned: readonly string[] | null
  readonly failure_code: string | null
  readonly failure_message: string | null
  readonly created_at: Date
  readonly finished_at: Date | null
}

/** Block at which the chain of a network was compared. */
export interface RunBlock {
  readonly network: string
  readonly block_number: number
  readonly block_hash: string
}

export interface CheckRow {
  readonly run_id: string
  readonly name: string
  readonly examined: bigint
  readonly differences: bigint
  readonly expected: bigint
}

/** A stored difference of a check, or something that is not due yet. */
export interface DifferenceRow {
  readonly check_name: string
  readonly due: boolean
  readonly number: number
  readonly data: Difference
}

/**
 * Makes the view of a run.
 *
 * @param done - Its checks that have ended, in their order.
 * @param found - The first differences of each of them.
 */
export function reconciliationView(
  row: ReconciliationRow,
  done: readonly CheckRow[],
  found: readonly DifferenceRow[],
): ReconciliationRun {
  const planned = row.planned?.length ?? 0
  return {
    id: row.id,
    status: row.status,
    cause: row.cause,
    scope: row.scope,
    networks: row.networks,
    at_block: row.at_block === null ? null : Number(row.at_block),
    progress: row.finished_at !== null ? 1 : planned === 0 ? 0 : done.length / (planned + 1),
    checks: done.map((check) => checkView(check, found)),
    blocks: row.blocks.map((block) => ({ ...block })),
    failure:
      row.failure_code === null ? null : { code: row.failure_code, message: row.failure_message ?? '' },
    created_at: row.created_at.toISOString(),
    finished_at: row.finished_at?.toISOString() ?? null,
  }
}

function checkView(check: CheckRow, found: readonly DifferenceRow[]): ReconciliationCheck {
  const own = found.filter((each) => each.check_name === check.name)
  const those = (due: boolean) => own.filter((each) => each.due === due).map(({ data }) => data)
  return {
    name: check.name,
    ok: check.differences === 0n,
    differences: those(true),
    differences_count: Number(check.differences),
    expected: those(false),
    expected_count: Number(check.expected),
    examined: Number(check.examined),
  }
}
