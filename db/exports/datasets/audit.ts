/** The audit log as an export has it: the entries of `GET /audit-log`, each with its hashes. */

import type { AuditEntry } from '../../../wire/audit-entry.js'
import { type AuditRow, auditView, narrowAudit } from '../../audit/list-audit.js'
import type { Queryable } from '../../connect.js'
import { type Dataset, nested, number, type Selection, text, windowOf } from '../dataset.js'

export const audit: Dataset<AuditRow, AuditEntry> = {
  sequenced: true,
  // An entry may hold much data, unlike a line of the ledger.
  pageRows: 100,
  rows: (sql, selection) =>
    sql`SELECT sequence, at, actor, action, subject, data, previous, hash ${from(sql, selection)} ORDER BY sequence`,
  count: (sql, selection) => sql`SELECT count(*)::bigint AS count ${from(sql, selection)}`,
  async lines(rows) {
    return rows.map((row) => ({ view: auditView(row), sequence: row.sequence }))
  },
  columns: [
    number('sequence', (entry) => entry.sequence),
    text('at', (entry) => entry.at),
    text('actor', (entry) => entry.actor),
    text('action', (entry) => entry.action),
    text('subject', (entry) => entry.subject),
    nested('data', (entry) => entry.data),
    text('previous_hash', (entry) => entry.previous_hash),
    text('hash', (entry) => entry.hash),
  ],
  json: JSON.stringify,
}

function from(sql: Queryable, { merchantId, filters, after, lastSequence }: Selection) {
  const { from, to } = windowOf(filters)
  return sql`
    FROM audit_log
    WHERE merchant_id = ${merchantId} AND sequence > ${after.toString()}::bigint
    ${lastSequence === null ? sql`` : sql`AND sequence <= ${lastSequence.toString()}::bigint`}
    ${narrowAudit(sql, filters)}
    ${from === undefined ? sql`` : sql`AND at >= ${from}`}
    ${to === undefined ? sql`` : sql`AND at < ${to}`}`
}
