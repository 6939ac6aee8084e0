/** Requires a person who may decide about withdrawals as an operator does. */

import { KeyturnError } from '../../../domain/errors.js'
import type { Transaction } from '../../connect.js'

/**
 * Requires a key of a person that has the scope `admin`, or whose person has the role `reviewer`.
 *
 * @throws KeyturnError `NOT_AN_APPROVER`.
 */
export async function requireReviewer(
  tx: Transaction,
  asker: { readonly merchantId: string; readonly personId: string | null; readonly admin: boolean },
): Promise<void> {
  const { merchantId, personId, admin } = asker
  if (personId !== null && admin) return
  const [reviewer] = await tx`
    SELECT 1 FROM approvers
    WHERE merchant_id = ${merchantId} AND person_id = ${personId} AND role = 'reviewer' AND revoked_at IS NULL`
  if (reviewer) return
  throw new KeyturnError(
    'NOT_AN_APPROVER',
    'A person decides this: send it with the key of one who has the role "reviewer" or the scope "admin"',
  )
}
