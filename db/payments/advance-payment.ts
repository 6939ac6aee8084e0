/** Computes a payment at its timer, and says what it waits for. */

import { formatAmount } from '../../domain/money.js'
import type { PaymentStatus } from '../../domain/payments/payment-status.js'
import { inTransaction, type Sql } from '../connect.js'
import { appendEvents } from '../events/log/append-events.js'
import { sumDeposits } from './deposits-of-payments.js'
import { followChanges } from './payment-exceptions.js'
import { lockPayments } from './payment-row.js'
import { evaluate, paymentEvents, savePayment } from './save-payment.js'

/** Longest wait for a signal. A lost signal costs no more than this. */
const LONGEST_WAIT_MS = 86_400_000
/** Wait for a deposit that a reorg took back, after the time of the payment is over. */
const RETURN_WAIT_MS = 600_000
/** The timer of a worker with a fast clock fires before the database's clock says so. */
const SHORTEST_WAIT_MS = 1_000

export interface PaymentProgress {
  readonly status: PaymentStatus
  /** Milliseconds until it has to be computed again. `null`: nothing is left to wait for. */
  readonly waitMs: number | null
  /** What operators read. */
  readonly text: string
}

/** Expires the payment if its time is over and what was seen does not suffice. Safe to repeat. */
export async function advancePayment(sql: Sql, id: string): Promise<PaymentProgress | null> {
  return inTransaction(sql, async (tx) => {
    const [payment] = await lockPayments(tx, [id])
    if (!payment) return null
    const deposits = (await sumDeposits(tx, [id])).get(id) ?? []
    const value = evaluate(payment, deposits)
    const saved = await savePayment(tx, payment, value, { kind: 'timer', id: null })
    await appendEvents(tx, [...(await paymentEvents(tx, [saved])), ...(await followChanges(tx, [saved]))])
    const { row } = saved
    const seen = `${formatAmount(row.amount_detected, row.decimals)} ${row.coin} seen`
    const left = row.expires_at.getTime() - payment.now.getTime()
    const until = `until ${row.expires_at.toISOString().slice(0, 16)}Z`
    switch (row.status) {
      case 'pending':
        return {
          status: row.status,
          waitMs: left > 0 ? Math.max(SHORTEST_WAIT_MS, left) : RETURN_WAIT_MS,
          text: left > 0 ? `Waits ${until}; ${seen}` : `Waits for a deposit that a reorg took back; ${seen}`,
        }
      case 'paid':
        return { status: row.status, waitMs: LONGEST_WAIT_MS, text: `${seen}; waits for confirmations` }
      case 'confirmed':
      case 'expired':
      case 'cancelled':
        return { status: row.status, waitMs: null, text: `${row.status}; ${seen}` }
    }
  })
}
