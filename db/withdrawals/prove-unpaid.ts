/** Whether it is proven that a withdrawal was not paid and never will be by what exists of it. */

import type { Transaction } from '../connect.js'
import type { WithdrawalRow } from './withdrawal-row.js'

/** `reason`: why not, in words for whoever asked. */
export type UnpaidProof =
  | { readonly proven: true; readonly by: 'nothing_signed' | 'conflict_final' }
  | { readonly proven: false; readonly reason: string }

interface AttemptRow {
  readonly state: 'built' | 'signed' | 'broadcast' | 'mined' | 'final' | 'replaced' | 'abandoned'
  readonly txid: string | null
  readonly succeeded: boolean | null
  readonly pays: boolean
  readonly request_state: 'queued' | 'leased' | 'signed' | 'refused' | 'withdrawn' | null
  readonly conflict_final: boolean
}

/** Of the others, what is in a block speaks for itself, and what was given up has nothing left to exclude. */
const EXCLUDABLE: readonly AttemptRow['state'][] = ['built', 'signed', 'broadcast']

/**
 * Looks at every attempt of a withdrawal that the caller has locked. Signed bytes prove nothing until a transaction that
 * excludes them (same nonce, same input) is as deep as the withdrawal asks for. What a signer has and has not answered may be
 * signed under a hash that nobody knows, so there a stranger's transaction proves nothing either: it may be that very one.
 * Only a final transaction of our own excludes it.
 */
export async function proveUnpaid(tx: Transaction, row: WithdrawalRow): Promise<UnpaidProof> {
  const attempts = await tx<AttemptRow[]>`
    SELECT payment.state, payment.txid, payment.succeeded, payment.purpose = 'pay' AS pays, request.state AS request_state,
           CASE WHEN payment.txid IS NULL THEN own.final
                ELSE coalesce(cursor.height - least(payment.conflict_height, stranger.height) + 1 >= ${row.required_confirmations},
                              false) END AS conflict_final
    FROM transactions payment
    LEFT JOIN signing_requests request ON request.transaction_id = payment.id
    LEFT JOIN chain_cursors cursor ON cursor.network = payment.network
    LEFT JOIN LATERAL (
      SELECT min(output.spent_at_block) AS height
      FROM jsonb_to_recordset(payment.inputs) AS input (txid text, vout integer)
      JOIN utxos output ON output.network = payment.network AND output.txid = input.txid AND output.vout = input.vout
      WHERE output.spent_by <> payment.txid AND output.spent_at_block IS NOT NULL
    ) stranger ON true
    CROSS JOIN LATERAL (
      SELECT EXISTS (
        SELECT FROM transactions other
        WHERE other.from_address_id = payment.from_address_id AND other.nonce = payment.nonce AND other.state = 'final'
        UNION ALL
        SELECT FROM jsonb_to_recordset(payment.inputs) AS input (txid text, vout integer)
        JOIN utxos output ON output.network = payment.network AND output.txid = input.txid AND output.vout = input.vout
        JOIN transactions other ON other.network = output.network AND other.txid = output.spent_by AND other.state = 'final'
      ) AS final
    ) own
    WHERE payment.subject_id = ${row.id} ORDER BY payment.number`
  let conflict = false
  for (const attempt of attempts) {
    const excluded = attempt.conflict_final && EXCLUDABLE.includes(attempt.state)
    const reason = excluded ? null : objection(attempt)
    if (reason !== null) return { proven: false, reason }
    conflict ||= excluded
  }
  return { proven: true, by: conflict ? 'conflict_final' : 'nothing_signed' }
}

function objection(attempt: AttemptRow): string | null {
  switch (attempt.state) {
    case 'final':
      // A cancelling transaction pays nobody; one that reverted has used up its nonce.
      return attempt.pays && attempt.succeeded !== false ? `${attempt.txid} has paid it` : null
    case 'mined':
      return `${attempt.txid} is in a block and may become final`
    case 'signed':
    case 'broadcast':
      return `${attempt.txid} is signed and may still be mined; cancel it, so that another transaction takes its place`
    case 'replaced':
      return null
    case 'built':
      if (attempt.request_state === 'leased') {
        return 'the signer has it and may have signed it; only its answer, or a final transaction of yours in its place, proves otherwise'
      }
      return attempt.request_state === 'signed' ? 'the signer has answered; look again in a moment' : null
    case 'abandoned':
      return attempt.request_state === 'signed'
        ? 'the signer answered with another transaction than it was asked for, and nobody knows where that one is'
        : null
  }
}
