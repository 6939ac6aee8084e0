/** Serves the rows of a sweep. A row that fails for its own reason is postponed and never stops the others. */

import type { Sql } from '../../db/connect.js'
import { isPassing } from '../../db/database-errors.js'
import { forgetFailures, putOff } from '../../db/operations/sweep-failures.js'
import { KeyturnError } from '../../domain/errors.js'
import type { Logger } from '../../telemetry/logger.js'
import { describeRefusal } from '../../temporal/temporal-outage.js'
import { tryEach } from './try-each.js'

export interface SweptRow {
  /** Id of the row. The store of failures uses it as key. */
  readonly id: string
  readonly merchantId: string
}

const MESSAGE_LENGTH = 500

/**
 * Serves each row, `concurrency` at once. It postpones a row that fails, raises an alert and serves the
 * others.
 *
 * @param part - Name of the rows in the alert, e.g. `withdrawals`.
 * @param serve - Serves one row and returns whether there was work for it.
 * @returns The number of rows that had work.
 * @throws Only an error that concerns every row: Temporal or the database is away. The next sweep tries
 * again.
 */
export async function sweepEach<T extends SweptRow>(
  { sql, log }: { readonly sql: Sql; readonly log?: Logger },
  part: string,
  rows: readonly T[],
  concurrency: number,
  serve: (row: T) => Promise<boolean>,
): Promise<number> {
  if (rows.length === 0) return 0
  let served = 0
  const { done, failed, outage } = await tryEach(rows, concurrency, async (row) => {
    if (await serve(row)) served++
  })
  let unusable = outage
  for (const { item, error } of failed) {
    if (isPassing(error) || (error instanceof KeyturnError && error.retryable)) {
      unusable ??= error
      continue
    }
    log?.warn({ err: error, part, subject: item.id }, 'A row could not be served and is postponed')
    const message = describeRefusal(error).slice(0, MESSAGE_LENGTH)
    await putOff(sql, { subject: item.id, merchantId: item.merchantId, part, message })
  }
  await forgetFailures(
    sql,
    done.map((row) => row.id),
  )
  if (unusable !== null) throw unusable
  return served
}
