/** Reverses a journal by posting its mirror image. The original journal stays. */

import type { Transaction } from '../../connect.js'
import { type AccountKind, type PostedJournal, postJournal } from './post-journal.js'

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
  const entries = await tx<
    {
      network: string
      coin: string
      kind: AccountKind
      owner: string
      amount: bigint
      fee: bigint | null
      moved: bigint | null
    }[]
  >`
    SELECT account.network, account.coin, account.kind, account.owner, -entry.amount AS amount,
           entry.fee, entry.moved
    FROM ledger_entries entry
    JOIN ledger_accounts account ON account.id = entry.account_id
    WHERE entry.journal_id = ${reversal.journalId} AND account.merchant_id = ${reversal.merchantId}
    ORDER BY entry.account_id, entry.account_version`
  if (entries.length === 0)
    throw new Error(`There is no journal ${reversal.journalId} of ${reversal.merchantId}`)
  return postJournal(
    tx,
    {
      merchantId: reversal.merchantId,
      idempotencyKey: reversal.idempotencyKey,
      type: reversal.type,
      reference: reversal.reference,
      reverses: reversal.journalId,
      entries: entries.map((entry) => ({ ...entry })),
    },
    { allowOverdraft: true },
  )
}
