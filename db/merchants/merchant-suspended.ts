/** Creates the error for a merchant that the operator has suspended. */

import { KeyturnError } from '../../domain/errors.js'
import type { Queryable } from '../connect.js'

/** Returns the error `MERCHANT_SUSPENDED` with the time since when. */
export async function merchantSuspended(sql: Queryable, merchantId: string): Promise<KeyturnError> {
  const [pause] = await sql<{ since: Date }[]>`
    SELECT since FROM settlement_pauses
    WHERE merchant_id = ${merchantId} AND placed_by = 'suspension' AND resumed_at IS NULL`
  return new KeyturnError(
    'MERCHANT_SUSPENDED',
    'The operator has suspended this merchant. What was paid is credited; nothing new is made. Ask the operator',
    { details: { since: pause?.since.toISOString() ?? null } },
  )
}
