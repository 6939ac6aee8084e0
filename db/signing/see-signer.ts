/** Keeps when a signer was last there and how far its journal has come. */

import { appendAudit } from '../audit/append-audit.js'
import type { Sql } from '../connect.js'
import { appendEvent } from '../events/append-event.js'

export interface JournalHead {
  readonly head: string
  readonly sequence: number
}

/**
 * Takes note of a signer; the first sight after an absence is the event `signer.online`.
 *
 * @param journal - Its journal's head now; only one further along replaces what is known.
 * @returns The furthest head that the platform knows: a signer behind it was restored from a backup and locks itself.
 */
export async function seeSigner(sql: Sql, signerId: string, journal: JournalHead): Promise<JournalHead> {
  return (await sql.begin(async (tx) => {
    const [signer] = await tx<
      { merchant_id: string; name: string; online: boolean; journal_head: string; journal_sequence: bigint }[]
    >`
      SELECT merchant_id, name, online, journal_head, journal_sequence FROM signers WHERE id = ${signerId} FOR UPDATE`
    if (!signer) throw new Error(`Signer ${signerId} does not exist`)
    const further = BigInt(journal.sequence) > signer.journal_sequence
    const known = further ? journal : { head: signer.journal_head, sequence: Number(signer.journal_sequence) }
    await tx`
      UPDATE signers SET online = true, last_seen_at = clock_timestamp(), journal_head = ${known.head},
                         journal_sequence = ${known.sequence}
      WHERE id = ${signerId}`
    if (!signer.online) {
      await appendEvent(tx, {
        merchantId: signer.merchant_id,
        type: 'signer.online',
        subject: signerId,
        data: { id: signerId, name: signer.name },
      })
      await appendAudit(tx, {
        merchantId: signer.merchant_id,
        actor: `signer:${signerId}`,
        action: 'signer.online',
        subject: signerId,
      })
    }
    return known
  })) as JournalHead
}
