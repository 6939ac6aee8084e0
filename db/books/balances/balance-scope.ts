/** Selects the ledger accounts and the deposits that a request for balances concerns. */

import type { PendingQuery, Row } from 'postgres'
import type { Queryable } from '../../connect.js'

/** Whose balances are asked for. Without a user, an address or the own account: all that the merchant has. */
export interface BalanceScope {
  readonly merchantId: string
  readonly userReference?: string
  readonly addressId?: string
  /** Whether only the merchant's own account counts, with what lies on its wallets. */
  readonly ownAccount?: boolean
  /** Whether only users' deposit addresses count, as addresses: without what their users are owed. */
  readonly depositAddresses?: boolean
  readonly network?: string
  readonly coin?: string
}

/**
 * Returns the condition on `account`, a row of `ledger_accounts`. Accounts of one owner are found by
 * `ledger_accounts_owner`. An address id and a user reference may be the same text, so kinds are compared too.
 */
export function accountsIn(sql: Queryable, scope: BalanceScope): PendingQuery<Row[]> {
  const { merchantId, userReference, addressId, ownAccount } = scope
  return sql`
    account.merchant_id = ${merchantId}
    ${scope.network === undefined ? sql`` : sql`AND account.network = ${scope.network}`}
    ${scope.coin === undefined ? sql`` : sql`AND account.coin = ${scope.coin}`}
    ${
      addressId !== undefined
        ? sql`AND account.owner = ${addressId} AND account.kind = 'chain'`
        : userReference !== undefined
          ? ownedBy(
              sql,
              userReference,
              sql`merchant_id = ${merchantId} AND user_reference = ${userReference}`,
            )
          : ownAccount
            ? ownedBy(
                sql,
                '',
                sql`merchant_id = ${merchantId} AND user_reference IS NULL AND kind IN ('master', 'hot', 'gas')`,
              )
            : scope.depositAddresses
              ? sql`AND account.kind = 'chain' AND EXISTS (
                  SELECT FROM addresses WHERE id = account.owner AND kind = 'deposit' AND user_reference IS NOT NULL)`
              : sql``
    }`
}

function ownedBy(sql: Queryable, owner: string, addresses: PendingQuery<Row[]>): PendingQuery<Row[]> {
  return sql`
    AND account.owner = ANY (ARRAY (SELECT id FROM addresses WHERE ${addresses}) || ${owner}::text)
    AND (account.kind = 'chain' AND account.owner <> ${owner}
      OR account.kind IN ('available', 'reserved') AND account.owner = ${owner})`
}

/** Returns the condition on a row of `deposits`. */
export function depositsIn(sql: Queryable, scope: BalanceScope): PendingQuery<Row[]> {
  return sql`
    merchant_id = ${scope.merchantId}
    ${scope.network === undefined ? sql`` : sql`AND network = ${scope.network}`}
    ${scope.coin === undefined ? sql`` : sql`AND coin = ${scope.coin}`}
    ${scope.addressId === undefined ? sql`` : sql`AND address_id = ${scope.addressId}`}
    ${scope.userReference === undefined ? sql`` : sql`AND user_reference = ${scope.userReference}`}
    ${scope.ownAccount ? sql`AND user_reference IS NULL` : sql``}
    ${scope.depositAddresses ? sql`AND user_reference IS NOT NULL` : sql``}`
}
