/** Finds the payments whose workflow has to be started or signalled, and remembers what was delivered. */

import { formatAmount } from '../../domain/money.js'
import { REORG_PATIENCE_MS } from '../../domain/payments/evaluate-payment.js'
import { isPaymentFinal } from '../../domain/payments/payment-status.js'
import type { PaymentInput } from '../../temporal/inputs.js'
import type { Queryable } from '../connect.js'
import { type PaymentRow, selectPayments } from './payment-row.js'

/** Rows of one round. */
const BATCH = 500
/** Lateness of an expiry from which the timer counts as lost. */
const LOST_TIMER_MS = 60_000

export interface PendingPayment {
  readonly id: string
  readonly merchantId: string
  readonly version: number
  readonly input: PaymentInput
  /** Whether a workflow has work left, so that one is started if none runs. */
  readonly open: boolean
}

/** Returns the input of a payment's workflow. */
function toPaymentInput(row: PaymentRow): PaymentInput {
  const amount = row.amount === null ? 'open amount of' : formatAmount(row.amount, row.decimals)
  return {
    id: row.id,
    merchantId: row.merchant_id,
    network: row.network,
    coin: row.coin,
    title: `${amount} ${row.coin} from ${row.user_reference}`,
  }
}

/** Returns payments of a network that changed since their workflow was started or signalled. */
export async function pendingPayments(sql: Queryable, network: string): Promise<PendingPayment[]> {
  const rows = await sql<PaymentRow[]>`
    ${selectPayments(sql)} WHERE payment.network = ${network} AND payment.wake_due ORDER BY payment.id LIMIT ${BATCH}`
  return rows.map(toPending)
}

/** Wakes the workflow of one of them, unless it knows of every change. @param wake - Starts or signals it. */
export async function wakeChangedPayment(
  sql: Queryable,
  id: string,
  wake: (payment: PendingPayment) => Promise<void>,
): Promise<void> {
  const [row] = await sql<PaymentRow[]>`${selectPayments(sql)} WHERE payment.id = ${id} AND payment.wake_due`
  if (!row) return
  const pending = toPending(row)
  await wake(pending)
  await markPaymentsWoken(sql, [pending])
}

function toPending(row: PaymentRow): PendingPayment {
  return {
    id: row.id,
    merchantId: row.merchant_id,
    version: row.version,
    input: toPaymentInput(row),
    open: row.status !== 'confirmed' && !isPaymentFinal(row.status),
  }
}

/** Records that the workflows were started or signalled, for payments that have not changed since. */
export async function markPaymentsWoken(
  sql: Queryable,
  woken: readonly Pick<PendingPayment, 'id' | 'version'>[],
): Promise<void> {
  if (woken.length === 0) return
  await sql`
    UPDATE payments SET wake_due = false
    FROM unnest(${woken.map((each) => each.id)}::text[], ${woken.map((each) => each.version)}::int[]) AS sent (id, version)
    WHERE payments.id = sent.id AND payments.version = sent.version`
}

/** Marks payments whose timer did not fire, because their workflow is lost. @returns How many. */
export async function wakeLatePayments(sql: Queryable): Promise<number> {
  const rows = await sql`
    UPDATE payments SET wake_due = true
    WHERE status = 'pending' AND NOT wake_due
      AND expires_at < clock_timestamp() - ${LOST_TIMER_MS} * interval '1 millisecond'
      -- It waits for the deposit that a reorg took back, and its workflow looks again by itself.
      AND (expires_at < clock_timestamp() - ${LOST_TIMER_MS + REORG_PATIENCE_MS} * interval '1 millisecond'
           OR NOT EXISTS (SELECT FROM deposits WHERE payment_id = payments.id AND status = 'reverted'))
    RETURNING id`
  return rows.length
}
