/** Requires that a person belongs to a merchant. */

import { KeyturnError } from '../../domain/errors.js'
import type { Queryable } from '../connect.js'

/** @throws KeyturnError `UNKNOWN_PERSON`, also for a person of another merchant. */
export async function requirePerson(sql: Queryable, merchantId: string, id: string): Promise<void> {
  const [row] = await sql`SELECT FROM persons WHERE id = ${id} AND merchant_id = ${merchantId}`
  if (!row) {
    throw new KeyturnError('UNKNOWN_PERSON', 'There is no such person. Check the id', { details: { id } })
  }
}
