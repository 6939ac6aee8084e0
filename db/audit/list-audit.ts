/** Lists a merchant's audit log, newest first. */

import type { AuditEntry } from '../../wire/audit-entry.js'
import type { Queryable } from '../connect.js'
import type { Slice } from '../slice.js'

export interface AuditRow {
  readonly sequence: bigint
  readonly at: Date
  readonly actor: string
  readonly action: string
  readonly subject: string
  readonly data: Record<string, unknown>
  readonly previous: Buffer
  readonly hash: Buffer
}

export interface AuditFilter {
  readonly actor?: string | undefined
  readonly action?: string | undefined
  readonly subject?: string | undefined
}

/** Lists sealed entries. `slice.before` is a sequence. The sealer seals a new entry within a second. */
export async function listAudit(
  sql: Queryable,
  merchantId: string,
  filter: AuditFilter,
  slice: Slice,
): Promise<AuditRow[]> {
  return sql<AuditRow[]>`
    SELECT sequence, at, actor, action, subject, data, previous, hash
    FROM audit_log
    WHERE merchant_id = ${merchantId} AND sequence IS NOT NULL
      ${slice.before === null ? sql`` : sql`AND sequence < ${slice.before}`}
      ${narrowAudit(sql, filter)}
    ORDER BY sequence DESC OFFSET ${slice.offset} LIMIT ${slice.take}`
}

/** Returns the conditions of a filter, to which the caller adds that of the merchant. */
export function narrowAudit(sql: Queryable, filter: AuditFilter) {
  return sql`
    ${filter.actor === undefined ? sql`` : sql`AND actor = ${filter.actor}`}
    ${filter.action === undefined ? sql`` : sql`AND action = ${filter.action}`}
    ${filter.subject === undefined ? sql`` : sql`AND subject = ${filter.subject}`}`
}

/** Makes the view of a row. */
export function auditView(row: AuditRow): AuditEntry {
  return {
    sequence: Number(row.sequence),
    at: row.at.toISOString(),
    actor: row.actor,
    action: row.action,
    subject: row.subject,
    data: row.data,
    previous_hash: row.previous.toString('hex'),
    hash: row.hash.toString('hex'),
  }
}
