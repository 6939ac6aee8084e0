/** Inserts an attempt, and the request to its signer. */

import type { EvmPayload, UtxoPayload } from '../../../domain/signing/signer-protocol.js'
import { json, type Transaction } from '../../connect.js'
import { newId } from '../../new-id.js'
import { notice } from '../../notices.js'
import type { PayoutRow } from '../payout-row.js'
import type { AttemptRow } from './find-attempts.js'

export interface AttemptInput {
  readonly addressId: string
  readonly txid: string
  readonly vout: number
  readonly amount: bigint
}

/** The stored fields of an attempt. Amounts are in base units. */
export interface NewAttempt {
  readonly id: string
  readonly signerId: string
  readonly purpose: AttemptRow['purpose']
  readonly cause: AttemptRow['cause']
  readonly priority: AttemptRow['priority']
  readonly fromAddressId: string | null
  /** `null` until a signer claims it. */
  readonly nonce: number | null
  readonly payload: UtxoPayload | EvmPayload | Omit<EvmPayload, 'nonce'>
  readonly coin: string
  readonly amount: bigint
  readonly maxFee: bigint
  readonly vsize: number | null
  readonly inputs: readonly AttemptInput[]
  readonly change: { readonly addressId: string; readonly amount: bigint } | null
}

/**
 * Inserts the attempt with the next number of its payout, whose row the caller has locked, and wakes the
 * signer.
 */
export async function insertAttempt(
  tx: Transaction,
  row: Pick<PayoutRow, 'id' | 'merchant_id' | 'network'>,
  attempt: NewAttempt,
): Promise<void> {
  const inputs = attempt.inputs.map(({ addressId, txid, vout, amount }) => ({
    address_id: addressId,
    txid,
    vout,
    amount: amount.toString(),
  }))
  const { change } = attempt
  await tx`
    WITH attempt AS (
    INSERT INTO attempts (id, merchant_id, subject_type, payout_id, number, network, from_address_id, nonce, purpose,
                              cause, priority, vsize, state, payload, payload_bytes, coin, amount, max_fee, inputs,
                              change)
    SELECT ${attempt.id}, ${row.merchant_id}, 'withdrawal', ${row.id}, coalesce(max(number), 0) + 1, ${row.network},
           ${attempt.fromAddressId}, ${attempt.nonce}::bigint, ${attempt.purpose}, ${attempt.cause}, ${attempt.priority},
           ${attempt.vsize}::integer, 'built', ${json(tx, attempt.payload)}, ${JSON.stringify(attempt.payload).length},
           ${attempt.coin},
           ${attempt.amount.toString()}::numeric, ${attempt.maxFee.toString()}::numeric, ${tx.json(inputs)},
           ${change ? tx.json({ address_id: change.addressId, amount: change.amount.toString() }) : null}::jsonb
    FROM attempts WHERE payout_id = ${row.id}
    ), request AS (
      INSERT INTO signing_requests (id, merchant_id, signer_id, transaction_id, payout_id, created_at)
      VALUES (${newId('srq')}, ${row.merchant_id}, ${attempt.signerId}, ${attempt.id}, ${row.id}, clock_timestamp())
    )
    ${notice(tx, 'signing_request', attempt.signerId)}`
}
