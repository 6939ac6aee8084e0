/** Decides whether the signer that an intent names can still pay it. */

import type { Queryable } from '../../connect.js'
import type { PayoutRow } from '../payout-row.js'

/**
 * Returns why no signer will ever pay a row, or `null`. A nonce fill carries the intent of another row, and
 * has no recipients.
 *
 * The intent is what people approved, so the signer that it names cannot be changed: the payout has to be
 * requested again.
 */
export async function whyUnsignable(
  sql: Queryable,
  row: Pick<PayoutRow, 'id' | 'kind' | 'network'>,
): Promise<string | null> {
  if (row.kind === 'nonce_fill') return null
  const [named] = await sql<{ signer: string | null; holds: boolean }[]>`
    SELECT intent.signer, EXISTS (
      SELECT FROM signers signer JOIN key_accounts account ON account.signer_id = signer.id
      WHERE signer.id = intent.signer AND signer.revoked_at IS NULL AND account.network = ${row.network}) AS holds
    FROM payouts payout LEFT JOIN batches batch ON batch.id = payout.batch_id
    CROSS JOIN LATERAL (SELECT coalesce(payout.intent, batch.intent) ->> 'signer' AS signer) intent
    WHERE payout.id = ${row.id}`
  if (!named) throw new Error(`Withdrawal ${row.id} does not exist`)
  if (named.signer === null)
    return 'It was requested before intents named the signer that pays them; request it again'
  return named.holds
    ? null
    : `The signer ${named.signer} that its intent names was revoked, and no other may pay it; request it again`
}
