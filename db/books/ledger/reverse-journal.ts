/** Reverses a journal by posting its mirror image. The original journal stays. */

import type { Transaction } from '../../connect.js'
import { type JournalEntry, type PostedJournal, postJournals } from './post-journal.js'

export interface Reversal {
  readonly merchantId: string
  readonly journalId: bigint
  readonly idempotencyKey: string
  /** Type of the reversing journal, e.g. `deposit.reverted`. */
  readonly type: string
  readonly reference: string
}

/**
 * Posts the reversing journal of `journalId`. It can be posted once, because `reverses` is unique. It may
 * overdraw an account, because an amount that a reorg removed is gone whether or not it was spent.
 *
 * @throws Error if the journal is unknown, or was reversed under another key.
 */
export async function reverseJournal(tx: Transaction, reversal: Reversal): Promise<PostedJournal> {
  const [posted] = await reverseJournals(tx, reversal.merchantId, [reversal])
  if (!posted) throw new Error('post_journals returned nothing')
  return posted
}

/**
 * Reverses journals of one merchant in one posting, which locks all of their accounts in order.
 *
 * @returns One result for each reversal, in the same order.
 * @throws The errors of `reverseJournal`.
 */
export async function reverseJournals(
  tx: Transaction,
  merchantId: string,
  reversals: readonly Omit<Reversal, 'merchantId'>[],
): Promise<PostedJournal[]> {
  const entries = await tx<(JournalEntry & { journal_id: bigint })[]>`
    SELECT entry.journal_id, account.network, account.coin, account.kind, account.owner, -entry.amount AS amount,
           entry.fee, entry.moved
    FROM ledger_entries entry
    JOIN ledger_accounts account ON account.id = entry.account_id
    WHERE entry.journal_id = ANY (${reversals.map((each) => each.journalId.toString())}::text[]::bigint[])
      AND account.merchant_id = ${merchantId}
    ORDER BY entry.account_id, entry.account_version`
  const journals = reversals.map(({ journalId, ...reversal }) => {
    const mirrored = entries.filter((entry) => entry.journal_id === journalId)
    if (mirrored.length === 0) throw new Error(`There is no journal ${journalId} of ${merchantId}`)
    return {
      ...reversal,
      reverses: journalId,
      entries: mirrored.map(({ journal_id: _, ...entry }) => entry),
    }
  })
  return postJournals(tx, merchantId, journals, { allowOverdraft: true })
}
