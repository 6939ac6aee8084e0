/** Requires someone who may keep the books. */

import { KeyturnError } from '../../domain/errors.js'
import type { Queryable } from '../connect.js'

/**
 * Requires a key with the scope `reconciliation`, or of a person with the role `finance`.
 *
 * @throws KeyturnError `INSUFFICIENT_SCOPE`.
 */
export async function requireFinance(
  sql: Queryable,
  asker: {
    readonly merchantId: string
    readonly personId: string | null
    readonly scopes: readonly string[]
  },
): Promise<void> {
  if (asker.scopes.includes('reconciliation')) return
  const [finance] = await sql`
    SELECT 1 FROM approvers
    WHERE merchant_id = ${asker.merchantId} AND person_id = ${asker.personId} AND role = 'finance'
      AND revoked_at IS NULL`
  if (finance) return
  throw new KeyturnError(
    'INSUFFICIENT_SCOPE',
    'Send this with a key that has the scope "reconciliation", or of a person with the role "finance"',
    { details: { required: 'reconciliation', scopes: asker.scopes } },
  )
}
