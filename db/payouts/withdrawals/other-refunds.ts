/** Finds other refunds of the same money, so that it is paid back once. */

import { KeyturnError } from '../../../domain/errors.js'
import { OPEN_PAYOUTS } from '../../../domain/payouts/stage-sets.js'
import type { WithdrawalStage } from '../../../domain/payouts/withdrawal-stage.js'
import type { LockedException } from '../../books/exceptions/change-exception.js'
import type { Transaction } from '../../connect.js'
import { members } from '../../members.js'
import { depositOf } from './find-owed.js'

/**
 * Blocks below the scanned head in which a reorg may still take back the end of a refund. What ended below them
 * counts as ended.
 */
const REORG_BLOCKS = 100

/** Makes other refunds of the merchant wait until this transaction ends. Call it before the exception is locked. */
export async function lockRefunds(tx: Transaction, merchantId: string): Promise<void> {
  await tx`SELECT pg_advisory_xact_lock(hashtextextended(${`refunds of ${merchantId}`}, 0))`
}

/**
 * Requires that no refund of the same deposit or payment has paid, or may still pay: it is open, or a reorg may open
 * it again.
 *
 * @param retried - Refund that is tried again. A reorg that opens it again stops the new one.
 * @throws KeyturnError `INVALID_STATE` that names the other withdrawal.
 */
export async function requireUnrefunded(
  tx: Transaction,
  exception: LockedException,
  retried: string | null = null,
): Promise<void> {
  const others = await otherRefunds(tx, exception)
  const other = others.find(({ id, may_pay: mayPay }) => mayPay && id !== retried)
  if (!other) return
  const isPaid = other.stage === 'confirmed'
  throw new KeyturnError(
    'INVALID_STATE',
    isPaid
      ? 'Another refund has paid this deposit or payment back already'
      : 'Another refund of this deposit or payment may still pay; cancel its withdrawal, or wait until no reorg can open it again',
    { details: { id: exception.id, withdrawal_id: other.id, stage: other.stage } },
  )
}

/**
 * Stops the other refunds of the same money that are under way, because this one is open again.
 *
 * @param id - Refund that a reorg opened again.
 */
export async function stopOtherRefunds(
  tx: Transaction,
  exception: LockedException,
  id: string,
): Promise<void> {
  const others = (await otherRefunds(tx, exception)).filter((other) => other.id !== id)
  const held = {
    reason: `${id}, which refunds the same, is on its way again: the chain took back its end`,
    by: 'system:chain-watcher',
    at: new Date().toISOString(),
  }
  await tx`
    UPDATE payouts SET investigation = ${tx.json(held)}
    WHERE id = ANY (${others.map((other) => other.id)}) AND investigation IS NULL
      AND stage IN ${members(tx, OPEN_PAYOUTS)}`
}

interface Refund {
  readonly id: string
  readonly stage: WithdrawalStage
  readonly may_pay: boolean
}

/**
 * Returns the refunds of the same deposit, and those of the whole payment. A refund of a whole payment contains
 * every deposit of it.
 */
async function otherRefunds(tx: Transaction, exception: LockedException): Promise<readonly Refund[]> {
  const { merchant_id: merchantId, payment_id: paymentId } = exception
  const depositId = depositOf(exception)
  return tx<Refund[]>`
    WITH refund AS (
      SELECT payout.id, payout.stage, payout.network, payout.exception_id, other.payment_id,
             CASE WHEN other.subject_type = 'deposit' THEN other.subject_id
                  ELSE other.evidence ->> 'deposit_id' END AS deposit_id
      FROM payouts payout JOIN exceptions other ON other.id = payout.exception_id
      WHERE payout.merchant_id = ${merchantId} AND payout.exception_id IS NOT NULL
    )
    SELECT refund.id, refund.stage,
           refund.stage = 'confirmed' OR refund.stage IN ${members(tx, OPEN_PAYOUTS)} OR EXISTS (
             SELECT FROM attempts attempt JOIN chain_cursors cursor ON cursor.network = attempt.network
             WHERE attempt.payout_id = refund.id
               AND greatest(attempt.block_number, attempt.conflict_height) > cursor.height - ${REORG_BLOCKS}
           ) AS may_pay
    FROM refund
    WHERE refund.exception_id = ${exception.id} OR refund.deposit_id = ${depositId}
      OR (refund.payment_id = ${paymentId} AND (refund.deposit_id IS NULL OR ${depositId}::text IS NULL))
    ORDER BY refund.id`
}
