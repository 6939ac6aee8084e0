/** Postpones rows that the sweeper could not serve for their own reason, so that no row stops the others. */

import type { PendingQuery, Row } from 'postgres'
import { inTransaction, type Queryable, type Sql } from '../connect.js'
import { raiseAlert } from './alerts/raise-alert.js'

/** Wait after the first failure. Each further failure doubles it. */
const FIRST_WAIT_MS = 60_000
const LONGEST_WAIT_MS = 3_600_000
/** Age after which a failure is deleted: a row that is not retried for so long has ended or was removed. */
const FORGET_AFTER_MS = 86_400_000

export interface FailedRow {
  readonly subject: string
  readonly merchantId: string
  /** Part of the sweep, e.g. `withdrawals`. */
  readonly part: string
  readonly message: string
}

/** Returns a SQL condition of the sweeper: the row whose id is in `column` is not postponed now. */
export function notPutOff(sql: Queryable, column: string): PendingQuery<Row[]> {
  return sql`NOT EXISTS (
    SELECT FROM sweep_failures WHERE subject = ${sql(column)} AND retry_at > clock_timestamp())`
}

/** Postpones a row, longer each time, and raises an alert, which stays open until the row is served. */
export async function putOff(sql: Sql, { subject, merchantId, part, message }: FailedRow): Promise<void> {
  await inTransaction(sql, async (tx) => {
    const [kept] = await tx<{ failures: number; retry_at: Date }[]>`
      INSERT INTO sweep_failures AS failed (subject, failures, message, retry_at)
      VALUES (${subject}, 1, ${message}, clock_timestamp() + ${FIRST_WAIT_MS} * interval '1 millisecond')
      ON CONFLICT (subject) DO UPDATE SET
        failures = failed.failures + 1,
        message = excluded.message,
        retry_at = clock_timestamp() + least(
          ${LONGEST_WAIT_MS}, ${FIRST_WAIT_MS} * power(2, least(failed.failures, 20))) * interval '1 millisecond'
      RETURNING failures, retry_at`
    await raiseAlert(tx, {
      merchantId,
      kind: 'workflow.not_started',
      severity: 'critical',
      subject,
      facts: {
        message: 'Its workflow cannot be started or signalled. It is retried, and the others go on',
        part,
        reason: message,
        next_try_at: kept?.retry_at.toISOString(),
      },
    })
  })
}

/** Deletes the failures of rows that were served, and clears their alerts. */
export async function forgetFailures(sql: Sql, subjects: readonly string[]): Promise<void> {
  if (subjects.length === 0) return
  await clear(sql, sql`subject = ANY (${[...subjects]})`)
}

/** Deletes the failures of rows that were not retried for a day. */
export async function purgeFailures(sql: Sql): Promise<void> {
  await clear(sql, sql`retry_at < clock_timestamp() - ${FORGET_AFTER_MS} * interval '1 millisecond'`)
}

async function clear(sql: Sql, which: PendingQuery<Row[]>): Promise<void> {
  await sql`
    WITH served AS (DELETE FROM sweep_failures WHERE ${which} RETURNING subject)
    UPDATE alerts SET cleared_at = clock_timestamp() FROM served
    WHERE alerts.kind = 'workflow.not_started' AND alerts.subject = served.subject AND alerts.cleared_at IS NULL`
}
