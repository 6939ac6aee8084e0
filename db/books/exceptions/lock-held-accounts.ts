/** Locks the accounts of what disputes hold, before the first of several is resolved. */

import type { Transaction } from '../../connect.js'
import type { Party } from '../balances/own-funds.js'
import { type AccountName, holdAccounts, lockAccounts } from '../ledger/lock-accounts.js'

/**
 * Locks them in one order, so that a transaction which releases several holds waits for no posting that waits for it.
 *
 * @param ids - Exceptions that the caller has locked.
 * @param others - Accounts that the transaction posts to besides.
 */
export async function lockHeldAccounts(
  tx: Transaction,
  merchantId: string,
  ids: readonly string[],
  others: readonly AccountName[] = [],
): Promise<void> {
  const held = await tx<Party[]>`
    SELECT DISTINCT network, coin, owner FROM exception_holds
    WHERE exception_id = ANY (${[...ids]}) AND released_at IS NULL`
  await lockAccounts(tx, merchantId, [...held.flatMap(holdAccounts), ...others])
}
