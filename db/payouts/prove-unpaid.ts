/** Proves that a payout was not paid, and that no attempt of it will ever be mined. */

import type { Transaction } from '../connect.js'
import { type Exclusion, findExclusions } from './attempts/find-exclusions.js'
import type { PayoutRow } from './payout-row.js'

/** A final transaction or block that excludes an attempt. */
export type Conflict =
  /** EVM: the account's nonce was used, as the scanned block at `height` shows. */
  | { readonly kind: 'nonce'; readonly nonce: number; readonly height: number }
  | ({ readonly kind: 'input' } & Exclusion)
  /** A final transaction of our own excludes what a signer may have signed. */
  | { readonly kind: 'own' }

/** The proof, or `reason`: why there is none, in words for the person who asked. */
export type UnpaidProof =
  | { readonly proven: true; readonly by: 'nothing_signed' }
  /** @param conflict - What excludes the newest attempt. */
  | { readonly proven: true; readonly by: 'conflict_final'; readonly conflict: Conflict }
  | { readonly proven: false; readonly reason: string }

interface AttemptRow {
  readonly id: string
  readonly state: 'built' | 'signed' | 'broadcast' | 'mined' | 'final' | 'replaced' | 'abandoned'
  readonly txid: string | null
  readonly nonce: bigint | null
  readonly succeeded: boolean | null
  readonly pays: boolean
  readonly request_state: 'queued' | 'leased' | 'signed' | 'refused' | 'withdrawn' | null
  readonly conflict_height: bigint | null
  readonly scanned: bigint | null
  readonly own_final: boolean
}

/**
 * States in which an attempt must be excluded. One in a block speaks for itself, and one that was given up
 * has nothing to exclude.
 */
const EXCLUDABLE: readonly AttemptRow['state'][] = ['built', 'signed', 'broadcast']

/**
 * Examines every attempt of a payout that the caller has locked.
 *
 * Signed bytes prove nothing until something that excludes them is as deep below the scanned head as the
 * payout requires: their nonce was used, an input was spent, or the transaction of an input was itself
 * excluded. All of it is read from the scanned blocks, never from what a node knows or has forgotten.
 *
 * A request that a signer has not answered may be signed under an unknown hash. A stranger's use of the nonce
 * or of an input then proves nothing, because it may be that very transaction. Only a final transaction of
 * our own excludes it, or an input that never came to exist.
 */
export async function proveUnpaid(
  tx: Transaction,
  row: Pick<PayoutRow, 'id' | 'required_confirmations'>,
): Promise<UnpaidProof> {
  // The locks keep signers from claiming a request meanwhile.
  await tx`SELECT FROM signing_requests WHERE payout_id = ${row.id} ORDER BY id FOR UPDATE`
  const attempts = await tx<AttemptRow[]>`
    SELECT attempt.id, attempt.state, attempt.txid, attempt.nonce, attempt.succeeded, attempt.purpose = 'pay' AS pays,
           request.state AS request_state, attempt.conflict_height, cursor.height AS scanned, own.final AS own_final
    FROM attempts attempt
    LEFT JOIN signing_requests request ON request.transaction_id = attempt.id
    LEFT JOIN chain_cursors cursor ON cursor.network = attempt.network
    CROSS JOIN LATERAL (
      SELECT EXISTS (
        SELECT FROM attempts other
        WHERE other.from_address_id = attempt.from_address_id AND other.nonce = attempt.nonce AND other.state = 'final'
        UNION ALL
        SELECT FROM jsonb_to_recordset(attempt.inputs) AS input (txid text, vout integer)
        JOIN utxos output ON output.network = attempt.network AND output.txid = input.txid AND output.vout = input.vout
        JOIN attempts other ON other.network = output.network AND other.txid = output.spent_by AND other.state = 'final'
      ) AS final
    ) own
    WHERE attempt.payout_id = ${row.id} ORDER BY attempt.number`
  const exclusions = await findExclusions(tx, row.id)
  let conflict: Conflict | null = null
  for (const attempt of attempts) {
    const excluded = EXCLUDABLE.includes(attempt.state)
      ? conflictOf(attempt, exclusions.get(attempt.id), row.required_confirmations)
      : null
    const reason = excluded ? null : objection(attempt)
    if (reason !== null) return { proven: false, reason }
    conflict = excluded ?? conflict
  }
  return conflict ? { proven: true, by: 'conflict_final', conflict } : { proven: true, by: 'nothing_signed' }
}

/** Returns what finally excludes an attempt, or `null`. */
function conflictOf(
  attempt: AttemptRow,
  exclusion: Exclusion | undefined,
  required: number,
): Conflict | null {
  if (exclusion && exclusion.scanned - exclusion.height + 1 >= required)
    return { kind: 'input', ...exclusion }
  if (attempt.txid === null) return attempt.own_final ? { kind: 'own' } : null
  const { nonce, conflict_height: height, scanned } = attempt
  if (nonce === null || height === null || scanned === null) return null
  if (Number(scanned - height) + 1 < required) return null
  return { kind: 'nonce', nonce: Number(nonce), height: Number(height) }
}

function objection(attempt: AttemptRow): string | null {
  switch (attempt.state) {
    case 'final':
      // A cancelling transaction has no recipients, and one that reverted has used up its nonce.
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
        ? 'the signer answered with another transaction than it was asked for, and it is not known where that one is'
        : null
  }
}
