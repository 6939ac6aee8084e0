/** Locks payments and exceptions that a change of deposits concerns, before anything of the ledger is locked. */

import { type Dispute, disputeCause } from '../books/exceptions/dispute-locks.js'
import type { Transaction } from '../connect.js'
import type { DepositRow } from './deposit-row.js'

interface Concerned extends Dispute {
  readonly disputes: boolean
}

/**
 * Locks the payments of the deposits, then what stands about either, and the disputes that may hold their money. The
 * order is that of `db/README.md`.
 *
 * @param rows - Deposits that the caller holds locked.
 * @param exceptionIds - Further exceptions that the transaction changes.
 * @returns The standing disputes about the deposits or their payments, oldest first.
 */
export async function lockConcerned(
  tx: Transaction,
  rows: readonly Pick<DepositRow, 'id' | 'merchant_id' | 'payment_id' | 'epoch'>[],
  exceptionIds: readonly string[] = [],
): Promise<readonly Dispute[]> {
  const payments = rows.flatMap((row) => row.payment_id ?? [])
  const disputed = rows.flatMap(({ id, merchant_id: merchantId, payment_id: paymentId }) => [
    { merchantId, cause: disputeCause({ type: 'deposit', id }) },
    ...(paymentId === null ? [] : [{ merchantId, cause: disputeCause({ type: 'payment', id: paymentId }) }]),
  ])
  const others = rows.flatMap(({ id, merchant_id: merchantId, epoch }) =>
    [`reorged:${id}`, `unattributed:${id}`, `rejected_deposit:${id}:${epoch}`].map((cause) => ({
      merchantId,
      cause,
    })),
  )
  const named = [...disputed, ...others]
  const causes = disputed.map(({ cause }) => cause)
  const [, concerned] = await Promise.all([
    payments.length === 0 ? [] : tx`SELECT FROM payments WHERE id = ANY (${payments}) ORDER BY id FOR UPDATE`,
    tx<Concerned[]>`
      SELECT id, merchant_id, subject_type, subject_id,
             status <> 'resolved' AND cause = ANY (${causes}) AS disputes
      FROM exceptions
      WHERE id IN (
        SELECT exception.id FROM unnest(
          ${named.map((each) => each.merchantId)}::text[], ${named.map((each) => each.cause)}::text[]
        ) AS named (merchant_id, cause) JOIN exceptions exception USING (merchant_id, cause)
        WHERE exception.cause_gone_at IS NULL
        UNION ALL
        SELECT exception.id FROM unnest(${rows.map((row) => row.merchant_id)}::text[], ${rows.map((row) => row.payment_id)}::text[])
          AS paid (merchant_id, payment_id) JOIN exceptions exception USING (merchant_id, payment_id)
        WHERE exception.cause_gone_at IS NULL
        UNION ALL
        SELECT unnest(${[...exceptionIds]}::text[])
      )
      ORDER BY id FOR UPDATE`,
  ])
  return concerned.filter((each) => each.disputes)
}
