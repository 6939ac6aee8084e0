/** Transfers as an export has them: the rows of `GET /transfers`, by time of creation. */

import type { Transfer } from '../../../wire/transfer.js'
import { narrowTransfers } from '../../books/transfers/list-transfers.js'
import { type TransferRow, toTransferView } from '../../books/transfers/transfer-row.js'
import type { Queryable } from '../../connect.js'
import { type Dataset, number, type Selection, text, windowOf } from '../dataset.js'

export const transfers: Dataset<TransferRow, Transfer> = {
  // A transfer takes its time before it is stored, so a later one may appear before those that were read.
  sequenced: false,
  pageRows: 1_000,
  rows: (sql, selection) => sql`SELECT * ${from(sql, selection)} ORDER BY id`,
  count: (sql, selection) => sql`SELECT count(*)::bigint AS count ${from(sql, selection)}`,
  async lines(rows) {
    return rows.map((row) => ({ view: toTransferView(row), sequence: null }))
  },
  columns: [
    text('id', (transfer) => transfer.id),
    text('from_user_reference', (transfer) => transfer.from_user_reference),
    text('to_user_reference', (transfer) => transfer.to_user_reference),
    text('network', (transfer) => transfer.network),
    text('coin', (transfer) => transfer.coin),
    number('amount', (transfer) => transfer.amount),
    text('external_id', (transfer) => transfer.external_id),
    text('reason', (transfer) => transfer.reason),
    number('journal_id', (transfer) => transfer.journal_id),
    text('created_at', (transfer) => transfer.created_at),
  ],
  json: JSON.stringify,
}

function from(sql: Queryable, { merchantId, filters }: Selection) {
  const { from, to } = windowOf(filters)
  const { user_reference: user, network, coin, external_id: externalId } = filters
  return sql`
    FROM transfers WHERE merchant_id = ${merchantId}
    ${user === undefined ? sql`` : sql`AND (from_user_reference = ${user} OR to_user_reference = ${user})`}
    ${narrowTransfers(sql, { network, coin, externalId, from, to })}`
}
