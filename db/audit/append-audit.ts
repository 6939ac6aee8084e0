/** Records an act in the audit log, in the transaction of the act; the sealer chains it after commit. */

import { json, type Transaction } from '../connect.js'

export interface AuditEntry {
  readonly merchantId: string
  /** `person:…`, `api-key:…`, `signer:…` or `system:…`. */
  readonly actor: string
  /** Past participle with its object, e.g. `withdrawal.approved`. */
  readonly action: string
  /** Id of the object. */
  readonly subject: string
  /** Facts worth keeping; JSON only, no secrets. */
  readonly data?: Readonly<Record<string, unknown>>
}

/** Appends an entry; its sequence, previous hash and hash are assigned by the sealer. */
export async function appendAudit(tx: Transaction, entry: AuditEntry): Promise<void> {
  await tx`
    INSERT INTO audit_log (merchant_id, at, actor, action, subject, data)
    VALUES (${entry.merchantId}, clock_timestamp(), ${entry.actor}, ${entry.action}, ${entry.subject}, ${json(tx, entry.data ?? {})})`
  await tx`SELECT pg_notify('sealer', '')`
}
