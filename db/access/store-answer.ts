/** Stores the first answer to an idempotent request. */

import type { Queryable } from '../connect.js'

export interface Answer {
  readonly merchantId: string
  readonly key: string
  readonly owner: string
  readonly statusCode: number
  /** JSON body as sent, sealed. */
  readonly response: Uint8Array
}

/**
 * Stores the answer if this owner still holds the key.
 *
 * @returns `false` if another request took the key over because this one counted as dead. A transaction must
 * then roll back.
 */
export async function storeAnswer(sql: Queryable, answer: Answer): Promise<boolean> {
  const rows = await sql`
    UPDATE idempotency_keys SET status_code = ${answer.statusCode}, response = ${answer.response}
    WHERE merchant_id = ${answer.merchantId} AND key = ${answer.key} AND owner = ${answer.owner} AND status_code IS NULL
    RETURNING 1`
  return rows.length === 1
}
