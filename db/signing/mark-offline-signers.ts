/** Notices signers that stopped asking for work. */

import type { SignerOffline } from '../../wire/event.js'
import { appendAudit } from '../audit/append-audit.js'
import { inTransaction, type Sql } from '../connect.js'
import { appendEvent } from '../events/log/append-event.js'

/**
 * Marks signers offline that were not seen for so long, with the event `signer.offline`, and deletes signers'
 * request nonces that have expired. Run it from time to time, from any process.
 *
 * @param offlineAfterMs - `KEYTURN_SIGNER_OFFLINE_AFTER`.
 * @returns Ids of the signers that went offline now.
 */
export async function markOfflineSigners(sql: Sql, offlineAfterMs: number): Promise<string[]> {
  return inTransaction(sql, async (tx) => {
    const gone = await tx<{ id: string; merchant_id: string; name: string; last_seen_at: Date }[]>`
      UPDATE signers SET online = false
      WHERE id IN (
        SELECT id FROM signers
        WHERE online AND last_seen_at < clock_timestamp() - ${offlineAfterMs} * interval '1 millisecond'
        FOR UPDATE SKIP LOCKED)
      RETURNING id, merchant_id, name, last_seen_at`
    for (const signer of gone) {
      await appendEvent(tx, {
        merchantId: signer.merchant_id,
        type: 'signer.offline',
        subject: signer.id,
        data: {
          id: signer.id,
          name: signer.name,
          last_seen_at: signer.last_seen_at.toISOString(),
        } satisfies SignerOffline,
      })
      await appendAudit(tx, {
        merchantId: signer.merchant_id,
        actor: 'system:sweeper',
        action: 'signer.offline',
        subject: signer.id,
        data: { last_seen_at: signer.last_seen_at.toISOString() },
      })
    }
    await tx`DELETE FROM signer_nonces WHERE expires_at < clock_timestamp()`
    return gone.map((signer) => signer.id)
  })
}
