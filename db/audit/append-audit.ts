/** Records an act in the audit log, in the act's own transaction. The sealer chains the entry after the commit. */

import type { PendingQuery, Row } from 'postgres'
import { json, type Transaction } from '../connect.js'

export interface AuditEntry {
  readonly merchantId: string
  /** Actor: `person:…`, `api-key:…`, `signer:…` or `system:…`. */
  readonly actor: string
  /** Action as object and past participle, e.g. `withdrawal.approved`. */
  readonly action: string
  /** Id of the object. */
  readonly subject: string
  /** Facts of the act. JSON only, no secrets. */
  readonly data?: Readonly<Record<string, unknown>>
}

/** Appends an entry. The sealer assigns its sequence, previous hash and hash within about a second. */
export async function appendAudit(tx: Transaction, entry: AuditEntry): Promise<void> {
  await insertAudit(tx, entry)
}

/** Returns the statement that appends an entry, for a statement that also makes the act itself. */
export function insertAudit(tx: Transaction, entry: AuditEntry): PendingQuery<Row[]> {
  return tx`
    INSERT INTO audit_log (merchant_id, at, actor, action, subject, data)
    VALUES (${entry.merchantId}, clock_timestamp(), ${entry.actor}, ${entry.action}, ${entry.subject}, ${json(tx, entry.data ?? {})})`
}
