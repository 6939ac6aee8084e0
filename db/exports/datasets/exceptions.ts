/** Exceptions as an export has them: the rows of `GET /exceptions`, by time. People edit the file and upload it. */

import type { ExceptionKind, ExceptionStatus } from '../../../domain/books/exception.js'
import { type ExceptionRow, selectExceptions, toExceptionView } from '../../books/exceptions/exception-row.js'
import {
  EXCEPTION_COLUMNS,
  type ExportedException,
  toExported,
} from '../../books/exceptions/exported-exception.js'
import { narrowExceptions } from '../../books/exceptions/list-exceptions.js'
import type { Queryable } from '../../connect.js'
import { type Dataset, type Selection, windowOf } from '../dataset.js'

export const exceptions: Dataset<ExceptionRow, ExportedException> = {
  sequenced: false,
  pageRows: 200,
  rows: (sql, selection) => {
    const from = sql`(SELECT each.* FROM exceptions each ${narrow(sql, selection)})`
    return sql`${selectExceptions(sql, from)} ORDER BY exception.id`
  },
  count: (sql, selection) =>
    sql`SELECT count(*)::bigint AS count FROM exceptions each ${narrow(sql, selection)}`,
  async lines(rows) {
    return rows.map((row) => ({ view: toExported(toExceptionView(row)), sequence: null }))
  },
  columns: EXCEPTION_COLUMNS,
  json: JSON.stringify,
}

function narrow(sql: Queryable, { merchantId, filters }: Selection) {
  return sql`WHERE each.merchant_id = ${merchantId} ${narrowExceptions(sql, {
    kind: filters.kind as ExceptionKind | undefined,
    status: filters.status as ExceptionStatus | undefined,
    owner: filters.owner,
    overdue: filters.overdue === undefined ? undefined : filters.overdue === 'true',
    paymentId: filters.payment_id,
    userReference: filters.user_reference,
    ...windowOf(filters),
  })}`
}
