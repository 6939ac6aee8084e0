/** Stores when a signer was last seen, and how far its journal has come. */

import type { SignerStop } from '../../domain/signing/signer-protocol.js'
import type { SignerOnline } from '../../wire/event.js'
import { appendAudit } from '../audit/append-audit.js'
import { inTransaction, type Sql, type Transaction } from '../connect.js'
import { appendEvent } from '../events/log/append-event.js'

export interface JournalHead {
  readonly head: string
  readonly sequence: number
}

/** What a signer reports about itself. */
export interface SignerSight extends JournalHead {
  /** Reason why it signs nothing at the moment. `null` while it works. Absent when it does not say. */
  readonly stopped?: SignerStop | null
}

/**
 * Stores the sight of a signer. The first sight after an absence appends the event `signer.online`.
 *
 * @param sight - The head of its journal now. Only one further along replaces the stored one.
 * @returns The furthest head that the platform knows. A signer behind it was restored from a backup, and
 * locks itself.
 */
export async function seeSigner(sql: Sql, signerId: string, sight: SignerSight): Promise<JournalHead> {
  return inTransaction(sql, async (tx) => {
    const [signer] = await tx<
      {
        merchant_id: string
        name: string
        /** Whether it was online before. */
        online: boolean
        journal_head: string
        journal_sequence: bigint
        stopped: { reason: SignerStop } | null
      }[]
    >`
      WITH before AS (SELECT id, online FROM signers WHERE id = ${signerId} FOR UPDATE)
      UPDATE signers signer
      SET online = true, last_seen_at = clock_timestamp(),
          journal_head = CASE WHEN ${sight.sequence} > journal_sequence THEN ${sight.head} ELSE journal_head END,
          journal_sequence = greatest(journal_sequence, ${sight.sequence})
      FROM before WHERE signer.id = before.id
      RETURNING merchant_id, name, before.online, journal_head, journal_sequence, stopped`
    if (!signer) throw new Error(`Signer ${signerId} does not exist`)
    if (!signer.online) {
      await appendEvent(tx, {
        merchantId: signer.merchant_id,
        type: 'signer.online',
        subject: signerId,
        data: { id: signerId, name: signer.name } satisfies SignerOnline,
      })
      await appendAudit(tx, {
        merchantId: signer.merchant_id,
        actor: `signer:${signerId}`,
        action: 'signer.online',
        subject: signerId,
      })
    }
    const before = signer.stopped?.reason ?? null
    if (sight.stopped !== undefined && sight.stopped !== before) {
      await keepStop(tx, signer.merchant_id, signerId, sight.stopped)
    }
    return { head: signer.journal_head, sequence: Number(signer.journal_sequence) }
  })
}

async function keepStop(
  tx: Transaction,
  merchantId: string,
  signerId: string,
  stopped: SignerStop | null,
): Promise<void> {
  const note = stopped === null ? null : { reason: stopped, since: new Date().toISOString() }
  await tx`UPDATE signers SET stopped = ${note === null ? null : tx.json(note)} WHERE id = ${signerId}`
  // What it left unanswered while it was stopped is handed out again at once, and its silence counts from
  // now.
  if (stopped === null) {
    await tx`
      UPDATE signing_requests SET lease_until = clock_timestamp(), first_leased_at = NULL
      WHERE signer_id = ${signerId} AND state IN ('queued', 'leased') AND lease_until IS NOT NULL`
  }
  await appendAudit(tx, {
    merchantId,
    actor: `signer:${signerId}`,
    action: stopped === null ? 'signer.resumed' : 'signer.stopped',
    subject: signerId,
    ...(stopped === null ? {} : { data: { reason: stopped } }),
  })
}
