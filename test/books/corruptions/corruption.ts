/** Declares a corruption of the books, and the small steps that several corruptions take. */

import type { PendingQuery, Row } from 'postgres'
import { expect } from 'vitest'
import { type Journal, type JournalEntry, postJournal } from '../../../db/books/ledger/post-journal.js'
import type { Transaction } from '../../../db/connect.js'
import type { BooksCheckName } from '../../../domain/books/difference.js'

/** A change that no code of the platform makes, and the one difference that it leads to. */
export interface Corruption {
  /** What is wrong then. */
  readonly name: string
  /** The check that finds it. */
  readonly check: BooksCheckName
  /** What the difference names as expected and as actual. */
  readonly says: readonly [expected: unknown, actual: unknown]
  /** Checks that find it as well, each with the reason. Default: none. */
  readonly also?: Partial<Readonly<Record<BooksCheckName, string>>>
  /** Makes the change in a transaction without triggers, which is rolled back. */
  readonly corrupt: (tx: Transaction, merchantId: string) => Promise<unknown>
}

/** An amount or a count as a difference shows it. */
export const NUMBER: unknown = expect.stringMatching(/^-?\d+(\.\d+)?$/)
/** Any text. */
export const TEXT: unknown = expect.any(String)

/** Returns the `id` of the first row of a query, as text. @throws Error if the history has none. */
export async function one(tx: Transaction, query: PendingQuery<Row[]>): Promise<string> {
  const [row] = await tx<{ id: string }[]>`SELECT id::text FROM (${query}) found LIMIT 1`
  if (!row) throw new Error('The history has no such row')
  return row.id
}

/** Requires that a statement changed as many rows as it is meant to. Default: one. */
export async function change(statement: PendingQuery<Row[]>, rows = 1): Promise<void> {
  const { count } = await statement
  if (count !== rows) throw new Error(`The corruption changed ${count} rows, not ${rows}`)
}

/** Shows a status in the newest event of an object, so that the check of events has nothing to find. */
export async function report(tx: Transaction, subject: string, type: string, status: string): Promise<void> {
  await change(tx`
    UPDATE events SET data = data || jsonb_build_object('status', ${status}::text)
    WHERE position = (SELECT max(position) FROM events WHERE subject = ${subject} AND type = ${type})`)
}

/** Posts a balanced journal past all rules, with the balances and totals that follow from it. @returns Its id. */
export async function forge(
  tx: Transaction,
  merchantId: string,
  journal: Pick<Journal, 'type' | 'reference' | 'reverses'> & { readonly idempotencyKey?: string },
  entries: readonly JournalEntry[],
): Promise<bigint> {
  const idempotencyKey = `forged:${journal.type}`
  const { journalId } = await postJournal(
    tx,
    { merchantId, idempotencyKey, ...journal, entries },
    { allowOverdraft: true },
  )
  return journalId
}

/** Returns entries that move 9 satoshis from one user to another. */
export async function betweenUsers(tx: Transaction, merchantId: string): Promise<JournalEntry[]> {
  const accounts = await tx<{ owner: string }[]>`
    SELECT owner FROM ledger_accounts
    WHERE merchant_id = ${merchantId} AND kind = 'available' AND owner <> '' AND coin = 'btc' AND balance < -9
    ORDER BY id LIMIT 2`
  return sides('btc', 'available', accounts)
}

/** Returns entries that move 9 base units from one of the merchant's addresses to another. */
export async function betweenAddresses(
  tx: Transaction,
  merchantId: string,
  coin: 'btc' | 'usdt' | 'eth',
): Promise<JournalEntry[]> {
  const addresses = await tx<{ owner: string }[]>`
    SELECT id AS owner FROM addresses
    WHERE merchant_id = ${merchantId} AND network = ${networkOf(coin)} ORDER BY id LIMIT 2`
  return sides(coin, 'chain', addresses)
}

/** Returns the network of a coin of the history. */
export const networkOf = (coin: string) => (coin === 'btc' ? 'bitcoin' : 'ethereum')

function sides(
  coin: string,
  kind: 'chain' | 'available',
  [from, to]: readonly { readonly owner: string }[],
): JournalEntry[] {
  if (!from || !to) throw new Error(`The history has no two accounts of ${coin}`)
  const asset = { network: networkOf(coin), coin, kind }
  return [
    { ...asset, owner: from.owner, amount: 9n },
    { ...asset, owner: to.owner, amount: -9n },
  ]
}
