/** Locks ledger accounts for a transaction that posts several journals, in the order in which each posting locks them. */

import type { Transaction } from '../../connect.js'
import type { AccountKind } from './journal-entry.js'

/** Account of a merchant. */
export interface AccountName {
  readonly network: string
  readonly coin: string
  readonly kind: AccountKind
  readonly owner: string
}

/** Locked account. */
export interface LockedAccount extends AccountName {
  /** Base units, with the sign of the ledger. */
  readonly balance: bigint
}

/**
 * Locks the accounts in the order of their ids. Two postings of one transaction would otherwise lock theirs one after
 * the other, in any order. They are the last locks that a transaction takes (`db/README.md`).
 *
 * @returns The accounts that exist.
 */
export async function lockAccounts(
  tx: Transaction,
  merchantId: string,
  accounts: readonly AccountName[],
): Promise<readonly LockedAccount[]> {
  if (accounts.length === 0) return []
  return tx<LockedAccount[]>`
    SELECT account.network, account.coin, account.kind, account.owner, account.balance
    FROM ledger_accounts account
    WHERE account.merchant_id = ${merchantId} AND (account.network, account.coin, account.kind, account.owner) IN (
      SELECT * FROM unnest(
        ${accounts.map((each) => each.network)}::text[], ${accounts.map((each) => each.coin)}::text[],
        ${accounts.map((each) => each.kind)}::text[], ${accounts.map((each) => each.owner)}::text[]))
    ORDER BY account.id FOR NO KEY UPDATE OF account`
}

/** Returns the two accounts between which a hold of a party moves its amount. */
export function holdAccounts({
  network,
  coin,
  owner,
}: Omit<AccountName, 'kind'>): readonly [AccountName, AccountName] {
  return [
    { network, coin, owner, kind: 'available' },
    { network, coin, owner, kind: 'reserved' },
  ]
}
