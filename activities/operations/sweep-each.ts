/** One row must never stop a loop that serves all: each has its try, and what fails for a reason of its own is put off. */

import type { Sql } from '../../db/connect.js'
import { isPassing } from '../../db/database-errors.js'
import { forgetFailures, putOff } from '../../db/operations/sweep-failures.js'
import { KeyturnError } from '../../domain/errors.js'
import type { Logger } from '../../telemetry/logger.js'
import { describeRefusal } from '../../temporal/temporal-outage.js'
import { tryEach } from './try-each.js'

export interface SweptRow {
  /** Of the row; what it failed with is kept under it. */
  readonly id: string
  readonly merchantId: string
}

const MESSAGE_LENGTH = 500

/**
 * Serves each row, `concurrency` at a time. One that fails is put off with an alert, and the others go on.
 *
 * @param part - For the alert: what is tried, e.g. `withdrawals`.
 * @param serve - Serves one; returns whether anything was to be done for it.
 * @returns For how many something was done.
 * @throws Only what concerns every row: Temporal or the database is away. The next sweep tries again.
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
    log?.warn({ err: error, part, subject: item.id }, 'A row could not be served; the others go on')
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
