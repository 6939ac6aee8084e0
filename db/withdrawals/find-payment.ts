/** The transaction that pays a withdrawal, and the signer's request for it. */

import type { EvmPayload, SigningAnswer, UtxoPayload } from '../../domain/signer-protocol.js'
import type { Queryable } from '../connect.js'

export interface PaymentRow {
  readonly id: string
  readonly network: string
  readonly from_address_id: string | null
  readonly nonce: bigint | null
  readonly state: 'built' | 'signed' | 'broadcast' | 'mined' | 'final' | 'replaced' | 'abandoned'
  /** With its nonce once a signer has claimed it. */
  readonly payload: UtxoPayload | EvmPayload
  readonly coin: string
  readonly amount: bigint
  readonly max_fee: bigint
  readonly inputs: readonly { readonly address_id: string; readonly txid: string; readonly vout: number }[]
  readonly signed_transaction: string | null
  readonly txid: string | null
  readonly conflict_height: bigint | null
  readonly request_id: string
  readonly request_state: 'queued' | 'leased' | 'signed' | 'refused' | 'withdrawn'
  readonly request_created_at: Date
  readonly answer: SigningAnswer | null
  readonly signer_id: string
  readonly signer_name: string
  readonly signer_online: boolean
  readonly signer_seen_at: Date | null
}

/** The newest attempt that was not abandoned, or null. */
export async function findPayment(sql: Queryable, subjectId: string): Promise<PaymentRow | null> {
  const [row] = await sql<PaymentRow[]>`
    SELECT payment.id, payment.network, payment.from_address_id, payment.nonce, payment.state, payment.payload,
           payment.coin, payment.amount, payment.max_fee, payment.inputs, payment.signed_transaction, payment.txid,
           payment.conflict_height, request.id AS request_id, request.state AS request_state,
           request.created_at AS request_created_at, request.answer, signer.id AS signer_id, signer.name AS signer_name,
           signer.online AS signer_online, signer.last_seen_at AS signer_seen_at
    FROM transactions payment
    JOIN signing_requests request ON request.transaction_id = payment.id
    JOIN signers signer ON signer.id = request.signer_id
    WHERE payment.subject_id = ${subjectId} AND payment.state <> 'abandoned'
    ORDER BY payment.number DESC LIMIT 1`
  return row ?? null
}
