/** Defines the activity of a payment: one short database step. */

import type { Sql } from '../../db/connect.js'
import { advancePayment, type PaymentProgress } from '../../db/payments/advance-payment.js'

export interface PaymentActivities {
  /** Expires the payment if its time is over, and says what it waits for. `null`: there is no such row. */
  advancePayment(id: string): Promise<PaymentProgress | null>
}

/** Creates the local activities of the queue `core`. */
export function createPaymentActivities({ sql }: { readonly sql: Sql }): PaymentActivities {
  return { advancePayment: (id) => advancePayment(sql, id) }
}
