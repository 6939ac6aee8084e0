/** Registers a person who acts for a merchant. */

import { appendAudit } from '../audit/append-audit.js'
import { inTransaction, type Sql } from '../connect.js'
import { newId } from '../new-id.js'

export interface NewPerson {
  readonly merchantId: string
  readonly name: string
  readonly email?: string
  /** Actor for the audit log. Default `system:operator`. */
  readonly actor?: string
}

/** Registers the person. @returns The person's id (`per_…`). */
export async function createPerson(sql: Sql, person: NewPerson): Promise<string> {
  const id = newId('per')
  await inTransaction(sql, async (tx) => {
    await tx`
      INSERT INTO persons (id, merchant_id, name, email)
      VALUES (${id}, ${person.merchantId}, ${person.name}, ${person.email ?? null})`
    await appendAudit(tx, {
      merchantId: person.merchantId,
      actor: person.actor ?? 'system:operator',
      action: 'person.created',
      subject: id,
      data: { name: person.name },
    })
  })
  return id
}
