/** Posts journals to the double-entry ledger. No balance changes in any other way. */

import { createHash } from 'node:crypto'
import postgres from 'postgres'
import { KeyturnError } from '../../../domain/errors.js'
import type { Queryable } from '../../connect.js'
import { wholeMs } from '../../whole-ms.js'
import type { JournalEntry } from './journal-entry.js'
import { type Fees, splitEntries } from './split-entries.js'

export type { AccountKind, JournalEntry } from './journal-entry.js'

export interface Journal {
  readonly merchantId: string
  /** Business id and step, e.g. `deposit:dep_…:0:confirmed`. The same key with the same content is a replay. */
  readonly idempotencyKey: string
  /** Type of the journal, e.g. `deposit.confirmed`. */
  readonly type: string
  /** Id of the object that the journal concerns. */
  readonly reference: string
  /** Id of the journal that this one reverses. A journal can be reversed once. */
  readonly reverses?: bigint
  /**
   * Block of the transaction that the journal books. Absent for a journal without a transaction, which counts
   * from the block after the one that was scanned last.
   */
  readonly height?: number | bigint | null
  /** What the network took, by coin. */
  readonly fees?: Fees
  /** Entries of one network, at least two, whose sum is zero per coin. */
  readonly entries: readonly JournalEntry[]
}

export interface PostOptions {
  /**
   * Whether a liability to a user may become a claim. Only the reversal of a credited deposit may do that.
   * Default `false`.
   */
  readonly allowOverdraft?: boolean
}

export interface PostedJournal {
  readonly journalId: bigint
  /** Whether this key was posted before, so that nothing changed now. */
  readonly replayed: boolean
  /**
   * Time of the entries, rounded up to a millisecond. A whole millisecond is at or after both of them, or before
   * both.
   */
  readonly at: Date
}

/**
 * Posts one journal, in the caller's transaction or in its own on the pool.
 *
 * @throws KeyturnError `INSUFFICIENT_BALANCE` (details in base units: requested, available, coin, network,
 * owner).
 * @throws Error if it does not balance, or if its key was used for another journal.
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
 * @returns One result for each journal, in the same order.
 * @throws The errors of `postJournal`. Then no journal is posted and the transaction is aborted.
 */
export async function postJournals(
  tx: Queryable,
  merchantId: string,
  journals: readonly Omit<Journal, 'merchantId'>[],
  options: PostOptions = {},
): Promise<PostedJournal[]> {
  if (journals.length === 0) return []
  const entries = journals.flatMap((journal, index) =>
    (journal.reverses === undefined && leaves(journal.type)
      ? splitEntries(journal.entries, journal.fees ?? {})
      : journal.entries
    ).map((entry) => ({ ...entry, journal: index + 1 })),
  )
  try {
    const rows = await tx<{ journal_id: bigint; replayed: boolean; at: Date }[]>`
      SELECT journal_id, replayed, ${wholeMs(tx, tx`booked_at`)} AS at FROM post_journals(
        ${merchantId},
        ${journals.map((journal) => journal.idempotencyKey)}::text[],
        ${journals.map((journal) => `\\x${requestHash(journal)}`)}::text[]::bytea[],
        ${journals.map((journal) => journal.type)}::text[],
        ${journals.map((journal) => journal.reference)}::text[],
        ${journals.map((journal) => journal.reverses?.toString() ?? null)}::bigint[],
        ${journals.map((journal) => journal.entries[0]?.network ?? null)}::text[],
        ${journals.map((journal) => journal.height?.toString() ?? null)}::bigint[],
        ${entries.map((entry) => entry.journal)}::int[],
        ${entries.map((entry) => entry.network)}::text[],
        ${entries.map((entry) => entry.coin)}::text[],
        ${entries.map((entry) => entry.kind)}::text[],
        ${entries.map((entry) => entry.owner)}::text[],
        ${entries.map((entry) => entry.amount.toString())}::numeric[],
        ${entries.map((entry) => entry.fee?.toString() ?? null)}::numeric[],
        ${entries.map((entry) => entry.moved?.toString() ?? null)}::numeric[],
        ${options.allowOverdraft ?? false})`
    return rows.map((row) => ({ journalId: row.journal_id, replayed: row.replayed, at: row.at }))
  } catch (error) {
    throw translate(error)
  }
}

/** Whether a journal books what leaves: `post_journals` counts neither fees nor change of deposits and transfers. */
function leaves(type: string): boolean {
  return !type.startsWith('deposit.') && !type.startsWith('transfer')
}

/** Returns the SHA-256 of the journal's content, so that its key is never reused for another journal. */
function requestHash(journal: Omit<Journal, 'merchantId'>): string {
  const content = [journal.type, journal.reference, journal.reverses?.toString() ?? '']
  for (const entry of journal.entries) {
    content.push(entry.network, entry.coin, entry.kind, entry.owner, entry.amount.toString())
  }
  return createHash('sha256').update(JSON.stringify(content)).digest('hex')
}

function translate(error: unknown): unknown {
  if (!(error instanceof postgres.PostgresError) || error.code !== 'KT001') return error
  return new KeyturnError('INSUFFICIENT_BALANCE', 'The available balance is too low for this amount', {
    details: JSON.parse(error.detail ?? '{}') as Record<string, unknown>,
    cause: error,
  })
}
