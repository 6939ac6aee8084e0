/** Registers a key with which a person signs approvals. */

import { refuseEd25519Key } from '../../domain/signing/refuse-ed25519-key.js'
import { appendAudit } from '../audit/append-audit.js'
import { inTransaction, type Sql } from '../connect.js'
import { newId } from '../new-id.js'

export interface NewApprover {
  readonly merchantId: string
  readonly personId: string
  /** Public key, 32 raw bytes. */
  readonly ed25519PublicKey: Uint8Array
  readonly role?: string
  /** Actor for the audit log. Default `system:operator`. */
  readonly actor?: string
}

/**
 * Registers the key.
 *
 * @returns The approver's id (`apr_…`), which the person signs with each decision.
 * @throws Error if the person is not the merchant's, or if the key is already registered or must not be used.
 */
export async function createApprover(sql: Sql, approver: NewApprover): Promise<string> {
  const id = newId('apr')
  const reason = refuseEd25519Key(approver.ed25519PublicKey)
  if (reason !== null) throw new Error(`The public key ${reason}`)
  await inTransaction(sql, async (tx) => {
    const rows = await tx`
      INSERT INTO approvers (id, merchant_id, person_id, ed25519_public_key, role)
      SELECT ${id}, merchant_id, id, ${Buffer.from(approver.ed25519PublicKey)}::bytea, ${approver.role ?? 'approver'}
      FROM persons WHERE id = ${approver.personId} AND merchant_id = ${approver.merchantId}`
    if (rows.count !== 1) throw new Error(`There is no person ${approver.personId} of ${approver.merchantId}`)
    await appendAudit(tx, {
      merchantId: approver.merchantId,
      actor: approver.actor ?? 'system:operator',
      action: 'approver.created',
      subject: id,
      data: {
        person: approver.personId,
        ed25519_public_key: Buffer.from(approver.ed25519PublicKey).toString('base64'),
      },
    })
  })
  return id
}
