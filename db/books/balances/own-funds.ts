/** Says what a user or the merchant's own account may pay, and keeps the own account from using the same funds. */

import type { Transaction } from '../../connect.js'

interface Funds {
  readonly own: bigint
  readonly together: bigint
  /** What the own account gave to users by transfers, less what it got back. */
  readonly given: bigint
}

/**
 * Returns what the own account may pay, in base units, and keeps it for this transaction. The account may go
 * down to a floor, the users' funds that it holds: own + sum of the users' available. What it gave to users on
 * credit is no such fund: otherwise each transfer would make room for the next, and users would be owed without
 * end. So it never owes more than is there.
 */
export async function takeOwnFunds(
  tx: Transaction,
  merchantId: string,
  network: string,
  coin: string,
): Promise<bigint> {
  // The sum is read by a later statement, which sees what the transactions before have committed.
  await tx`SELECT pg_advisory_xact_lock(hashtextextended(${lockName(merchantId, network, coin)}, 0))`
  const [row] = await tx<Funds[]>`
    SELECT coalesce(-sum(balance) FILTER (WHERE owner = ''), 0)::numeric AS own,
           coalesce(-sum(balance), 0)::numeric AS together,
           coalesce(sum(transferred_out - transferred_in) FILTER (WHERE owner = ''), 0)::numeric AS given
    FROM ledger_accounts
    WHERE merchant_id = ${merchantId} AND network = ${network} AND coin = ${coin} AND kind = 'available'`
  const { own, together, given } = row ?? { own: 0n, together: 0n, given: 0n }
  const debt = own < 0n ? -own : 0n
  const onCredit = given < debt ? given : debt
  return together - (onCredit > 0n ? onCredit : 0n)
}

/**
 * Returns what a user has, in base units. Until this transaction ends, the own account waits for it: its floor
 * counts what the user pays away. Payments of several users do not wait for each other here.
 */
export async function takeUserFunds(
  tx: Transaction,
  merchantId: string,
  network: string,
  coin: string,
  owner: string,
): Promise<bigint> {
  const [row] = await tx<{ available: bigint | null }[]>`
    SELECT (${userFunds(tx, merchantId, network, coin, owner)}) AS available
    FROM pg_advisory_xact_lock_shared(hashtextextended(${lockName(merchantId, network, coin)}, 0))`
  return row?.available ?? 0n
}

/** A party's money in one coin. */
export interface Party {
  readonly network: string
  readonly coin: string
  /** User. Empty: the merchant's own account. */
  readonly owner: string
}

/**
 * Takes the funds of several parties with `takeOwnFunds` and `takeUserFunds`, in one order everywhere, so that two
 * transactions do not wait for each other. Of one coin the own account comes first: its lock is the stronger one.
 *
 * @returns What each may pay, in base units, in the order of `parties`.
 */
export async function takeFunds(
  tx: Transaction,
  merchantId: string,
  parties: readonly Party[],
): Promise<bigint[]> {
  const sorted = parties
    .map(({ network, coin, owner }, index) => ({ network, coin, owner, index }))
    .sort((a, b) => compare([a.network, a.coin, a.owner], [b.network, b.coin, b.owner]))
  const funds = new Array<bigint>(parties.length).fill(0n)
  for (const { network, coin, owner, index } of sorted) {
    const take = owner === '' ? takeOwnFunds : takeUserFunds
    funds[index] = await take(tx, merchantId, network, coin, owner)
  }
  return funds
}

function compare(a: readonly string[], b: readonly string[]): number {
  const index = a.findIndex((part, place) => part !== b[place])
  return index < 0 ? 0 : (a[index] ?? '') < (b[index] ?? '') ? -1 : 1
}

/** Returns what a user has, in base units, and keeps nothing. */
export async function readUserFunds(
  tx: Transaction,
  merchantId: string,
  network: string,
  coin: string,
  owner: string,
): Promise<bigint> {
  const [row] = await tx<{ available: bigint }[]>`${userFunds(tx, merchantId, network, coin, owner)}`
  return row?.available ?? 0n
}

function userFunds(tx: Transaction, merchantId: string, network: string, coin: string, owner: string) {
  return tx`
    SELECT -balance AS available FROM ledger_accounts
    WHERE merchant_id = ${merchantId} AND network = ${network} AND coin = ${coin} AND kind = 'available'
      AND owner = ${owner}`
}

function lockName(merchantId: string, network: string, coin: string): string {
  return `own-funds:${merchantId}:${network}:${coin}`
}
