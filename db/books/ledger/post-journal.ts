/** Posting to the double-entry ledger: the only way that a balance changes. */

import { createHash } from 'node:crypto'
import postgres from 'postgres'
import { KeyturnError } from '../../../domain/errors.js'
import type { Queryable } from '../../connect.js'

/** What an account is for; see migration 003_ledger.sql. */
export type AccountKind = 'chain' | 'available' | 'reserved' | 'network_fee'

/** One line of a journal. */
export interface JournalEntry {
  readonly network: string
  readonly coin: string
  readonly kind: AccountKind
  /** Address id for `chain`; user_reference, or '' for the merchant itself, for liabilities; '' for `network_fee`. */
  readonly owner: string
  /** Base units; debit positive, credit negative, never zero. */
  readonly amount: bigint
}

export interface Journal {
  readonly merchantId: string
  /** Business id and step, e.g. `deposit:dep_…:0:confirmed`; the same key with the same content is a replay. */
  readonly idempotencyKey: string
  /** What happened, e.g. `deposit.confirmed`. */
  readonly type: string
  /** Id of the object it is about. */
  readonly reference: string
  /** Id of the journal that this one undoes; each can be undone once. */
  readonly reverses?: bigint
  /** Sum zero per network and coin; at least two. */
  readonly entries: readonly JournalEntry[]
}

export interface PostOptions {
  /** Lets a user's liability turn into a claim: only the reversal of a credited deposit may. Default false. */
  readonly allowOverdraft?: boolean
}

export interface PostedJournal {
  readonly journalId: bigint
  /** True when this key was posted before: nothing changed now. */
  readonly replayed: boolean
}

/**
 * Posts one journal: in the caller's transaction, or by itself on the pool.
 *
 * @throws KeyturnError `INSUFFICIENT_BALANCE` (details in base units: requested, available, coin, network, owner).
 * @throws Error when it does not balance, or its key was used for another journal.
 */
export async function postJournal(
  tx: Queryable,
  journal: Journal,
  options: PostOptions = {},
): Promise<PostedJournal> {
  const [posted] = await postJournals(tx, journal.merchantId, [journal], options)
  if (!posted) throw new Error('post_journals returned nothing')
  return posted
}

/**
 * Posts many journals of one merchant in one round trip, in order.
 *
 * @returns One result a journal, in the same order.
 * @throws As `postJournal`; then nothing of it is posted and the transaction is aborted.
 */
export async function postJournals(
  tx: Queryable,
  merchantId: string,
  journals: readonly Omit<Journal, 'merchantId'>[],
  options: PostOptions = {},
): Promise<PostedJournal[]> {
  if (journals.length === 0) return []
  const entries = journals.flatMap((journal, index) =>
    journal.entries.map((entry) => ({ ...entry, journal: index + 1 })),
  )
  try {
    const rows = await tx<{ journal_id: bigint; replayed: boolean }[]>`
      SELECT journal_id, replayed FROM post_journals(
        ${merchantId},
        ${journals.map((journal) => journal.idempotencyKey)}::text[],
        ${journals.map((journal) => `\\x${requestHash(journal)}`)}::text[]::bytea[],
        ${journals.map((journal) => journal.type)}::text[],
        ${journals.map((journal) => journal.reference)}::text[],
        ${journals.map((journal) => journal.reverses?.toString() ?? null)}::bigint[],
        ${entries.map((entry) => entry.journal)}::int[],
        ${entries.map((entry) => entry.network)}::text[],
        ${entries.map((entry) => entry.coin)}::text[],
        ${entries.map((entry) => entry.kind)}::text[],
        ${entries.map((entry) => entry.owner)}::text[],
        ${entries.map((entry) => entry.amount.toString())}::numeric[],
        ${options.allowOverdraft ?? false})`
    return rows.map((row) => ({ journalId: row.journal_id, replayed: row.replayed }))
  } catch (error) {
    throw translate(error)
  }
}

/** SHA-256 of everything that makes the journal what it is, so that a key is never reused for another one. */
function requestHash(journal: Omit<Journal, 'merchantId'>): string {
  const content = [journal.type, journal.reference, journal.reverses?.toString() ?? '']
  for (const entry of journal.entries) {
    content.push(entry.network, entry.coin, entry.kind, entry.owner, entry.amount.toString())
  }
  return createHash('sha256').update(JSON.stringify(content)).digest('hex')
}

function translate(error: unknown): unknown {
  if (!(error instanceof postgres.PostgresError) || error.code !== 'KT001') return error
  return new KeyturnError('INSUFFICIENT_BALANCE', 'The balance is too low for this', {
    details: JSON.parse(error.detail ?? '{}') as Record<string, unknown>,
    cause: error,
  })
}
