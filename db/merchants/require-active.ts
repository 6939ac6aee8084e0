/** Requires that a merchant is not suspended. */

import { KeyturnError } from '../../domain/errors.js'
import type { Queryable } from '../connect.js'

/** @throws KeyturnError `MERCHANT_SUSPENDED` with the time since when. */
export async function requireActive(sql: Queryable, merchantId: string): Promise<void> {
  const [row] = await sql<{ since: Date | null }[]>`
    SELECT (SELECT since FROM settlement_pauses pause
            WHERE pause.merchant_id = merchant.id AND placed_by = 'suspension' AND resumed_at IS NULL) AS since
    FROM merchants merchant WHERE id = ${merchantId} AND status = 'suspended'`
  if (!row) return
  throw new KeyturnError(
    'MERCHANT_SUSPENDED',
    'The operator has suspended this merchant. What was paid is credited; nothing new is made. Ask the operator',
    { details: { since: row.since?.toISOString() ?? null } },
  )
}
