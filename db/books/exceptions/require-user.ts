/** Requires that the recipient of a credit is a user of the merchant. */

import { KeyturnError } from '../../../domain/errors.js'
import type { Transaction } from '../../connect.js'

/**
 * Requires an address or an account of the user, so that a mistyped reference is refused.
 *
 * @throws KeyturnError `NOT_FOUND`.
 */
export async function requireUser(tx: Transaction, merchantId: string, user: string): Promise<void> {
  const [known] = await tx`
    SELECT FROM addresses WHERE merchant_id = ${merchantId} AND user_reference = ${user}
    UNION ALL
    SELECT FROM ledger_accounts
    WHERE merchant_id = ${merchantId} AND owner = ${user} AND kind IN ('available', 'reserved')
    LIMIT 1`
  if (known) return
  throw new KeyturnError('NOT_FOUND', 'There is no such user; check to_user_reference', {
    details: { user_reference: user },
  })
}
