/** Stores signed bytes and txid before they are sent anywhere. */

import type { Networks } from '../../../domain/chain/network.js'
import { SENT_PAYOUTS } from '../../../domain/payouts/stage-sets.js'
import { appendAudit } from '../../audit/append-audit.js'
import { reclaimForeignSpend } from '../../chain/foreign-spends.js'
import { inTransaction, type Sql, type Transaction } from '../../connect.js'
import { movePayout } from '../move-payout.js'
import { lockWithdrawal, type PayoutRow } from '../payout-row.js'

export interface VerifiedSignature {
  readonly transactionId: string
  readonly signerId: string
  readonly signedTransaction: string
  readonly txid: string
}

/**
 * Stores the verified bytes. From here on only the chain decides. A second call changes nothing. A further
 * attempt is stored beside those before it and leaves the stage as it is.
 */
export async function storeSigned(
  sql: Sql,
  networks: Networks,
  id: string,
  verified: VerifiedSignature,
): Promise<void> {
  await inTransaction(sql, async (tx) => {
    const row = await lockWithdrawal(tx, id)
    const further = SENT_PAYOUTS[row.stage]
    if (row.stage !== 'pending_signature' && !further) return
    const kept = further ? await keepBytes(tx, verified) : await keepFirst(tx, id, verified)
    if (!kept) {
      if (further) return
      throw new Error(`Transaction ${verified.transactionId} is not waiting for a signature`)
    }
    const block = await reclaimForeignSpend(tx, row.network, verified.txid)
    if (further) {
      if (block) await noteBlock(tx, row, verified.transactionId, block)
      await appendAudit(tx, {
        merchantId: row.merchant_id,
        actor: `signer:${verified.signerId}`,
        action: 'withdrawal.replacement_signed',
        subject: id,
        data: { transaction_id: verified.transactionId, transaction_hash: verified.txid },
      })
      return
    }
    await movePayout(tx, networks, row, {
      to: 'signed',
      actor: `signer:${verified.signerId}`,
      transactionHash: verified.txid,
    })
  })
}

/** Stores the bytes of a further attempt. @returns False when the attempt does not wait for them. */
async function keepBytes(tx: Transaction, verified: VerifiedSignature): Promise<boolean> {
  return (await signAttempt(tx, verified)).length > 0
}

/**
 * Stores the bytes of a payout's first attempt, and marks its nonce as signed. A gap is one no more: the queue
 * had gone on without the payout, and nothing has filled the gap yet.
 *
 * @returns False when the attempt does not wait for them.
 */
async function keepFirst(tx: Transaction, id: string, verified: VerifiedSignature): Promise<boolean> {
  const kept = await tx`
    WITH attempt AS (${signAttempt(tx, verified)}), allocated AS (
      UPDATE nonces SET state = 'signed' FROM attempt
      WHERE attempt.nonce IS NOT NULL AND nonces.payout_id = ${id} AND nonces.state = 'allocated'
    ), gap AS (
      UPDATE nonces SET state = 'signed', payout_id = ${id}, freed_at = NULL
      FROM attempt JOIN addresses payer ON payer.id = attempt.from_address_id
      WHERE nonces.network = attempt.network AND nonces.address = payer.address
        AND nonces.nonce = attempt.nonce AND nonces.state = 'gap' AND nonces.last_payout_id = ${id}
    )
    SELECT FROM attempt`
  return kept.length > 0
}

function signAttempt(tx: Transaction, { transactionId, signedTransaction, txid }: VerifiedSignature) {
  return tx`
    UPDATE attempts SET state = 'signed', signed_transaction = ${signedTransaction}, txid = ${txid}
    WHERE id = ${transactionId} AND state = 'built' RETURNING network, from_address_id, nonce`
}

/**
 * Marks the attempt as mined if the watcher scanned its block before its hash was known. What that block
 * proved against the payout was this very attempt.
 */
async function noteBlock(
  tx: Transaction,
  row: Pick<PayoutRow, 'required_confirmations'>,
  transactionId: string,
  { height, hash }: { readonly height: number; readonly hash: string },
): Promise<void> {
  await tx`
    UPDATE attempts
    SET state = 'mined', block_number = ${height}, block_hash = ${hash}, conflict_height = NULL,
        target_height = ${height + row.required_confirmations - 1}
    WHERE id = ${transactionId}`
}
