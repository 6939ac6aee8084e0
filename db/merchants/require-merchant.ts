/** Requires that a merchant exists. */

import { KeyturnError } from '../../domain/errors.js'
import type { Queryable } from '../connect.js'
import { OPERATOR } from './operator.js'

/** @throws KeyturnError `NOT_FOUND`, also for the operator, who is no merchant. */
export async function requireMerchant(sql: Queryable, id: string): Promise<void> {
  const [row] = await sql`SELECT FROM merchants WHERE id = ${id} AND id <> ${OPERATOR}`
  if (!row) throw merchantNotFound(id)
}

/** Creates the error `NOT_FOUND` for a merchant. */
export function merchantNotFound(id: string): KeyturnError {
  return new KeyturnError('NOT_FOUND', 'There is no such merchant. Check the id', { details: { id } })
}
