/** Events as an export has them: the log of `GET /events`, each with its delivered bytes. */

import type { Queryable } from '../../connect.js'
import { type Dataset, number, type Selection, text, windowOf } from '../dataset.js'

interface EventRow {
  readonly sequence: bigint
  readonly id: string
  readonly type: string
  readonly occurred_at: Date
  /** Frozen bytes, as they were delivered. */
  readonly body: Buffer
}

export const events: Dataset<EventRow, EventRow> = {
  sequenced: true,
  // An event holds a whole object, with metadata of up to 16 kB.
  pageRows: 100,
  rows: (sql, selection) =>
    sql`SELECT event.sequence, event.id, event.type, event.occurred_at, event.body ${from(sql, selection)} ORDER BY event.sequence`,
  count: (sql, selection) => sql`SELECT count(*)::bigint AS count ${from(sql, selection)}`,
  async lines(rows) {
    return rows.map((row) => ({ view: row, sequence: row.sequence }))
  },
  columns: [
    number('sequence', (event) => event.sequence.toString()),
    text('id', (event) => event.id),
    text('event', (event) => event.type),
    text('timestamp', (event) => event.occurred_at.toISOString()),
    text('data', (event) => JSON.stringify(JSON.parse(event.body.toString('utf8')).data)),
  ],
  // Parsing and writing them again could change the bytes that were signed.
  json: (event) => event.body.toString('utf8'),
}

function from(sql: Queryable, { merchantId, filters, after, lastSequence }: Selection) {
  const { from, to } = windowOf(filters)
  return sql`
    FROM events event
    WHERE event.merchant_id = ${merchantId} AND event.sequence > ${after.toString()}::bigint
    ${lastSequence === null ? sql`` : sql`AND event.sequence <= ${lastSequence.toString()}::bigint`}
    ${filters.event === undefined ? sql`` : sql`AND event.type = ${filters.event}`}
    ${filters.subject === undefined ? sql`` : sql`AND event.subject = ${filters.subject}`}
    ${from === undefined ? sql`` : sql`AND event.occurred_at >= ${from}`}
    ${to === undefined ? sql`` : sql`AND event.occurred_at < ${to}`}`
}
