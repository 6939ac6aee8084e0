/** Lists the statuses and flags of a payment, and the transitions between the statuses. */

export const PAYMENT_STATUSES = ['pending', 'paid', 'confirmed', 'expired', 'cancelled'] as const

export type PaymentStatus = (typeof PAYMENT_STATUSES)[number]

/**
 * Transitions of a payment. The first three statuses follow the sums of its deposits, so they also go back.
 *
 * ```
 * pending ──► paid ──► confirmed    the sum that was seen, and then the sum that was credited, suffices
 * pending ──► confirmed             both at once
 * confirmed ──► paid, pending       a reorg took deposits back
 * paid ──► pending                  a deposit was replaced or rejected, or a reorg took it back
 * pending, paid, confirmed ──► expired    its time is over, and what was seen in time does not suffice
 * pending ──► cancelled             by request, before anything was seen
 * ```
 *
 * `expired` and `cancelled` are final.
 */
export const PAYMENT_TRANSITIONS: Readonly<Record<PaymentStatus, readonly PaymentStatus[]>> = {
  pending: ['paid', 'confirmed', 'expired', 'cancelled'],
  paid: ['confirmed', 'pending', 'expired'],
  confirmed: ['paid', 'pending', 'expired'],
  expired: [],
  cancelled: [],
}

/**
 * Flags of a payment. They are independent of each other and of the status. A deposit that is gone or rejected
 * sets none but `reorged`.
 *
 * - `underpaid`: something was seen, but less than the amount without its tolerance.
 * - `overpaid`: more than the amount was seen.
 * - `late`: a deposit was first seen after the payment had expired or been cancelled.
 * - `reorged`: a reorg took the payment back after it had been confirmed. This flag stays.
 * - `multiple_deposits`: more than one deposit was seen.
 * - `wrong_coin`: another coin was sent to its address.
 * - `reissued`: another attempt took its place.
 */
export const PAYMENT_FLAGS = [
  'underpaid',
  'overpaid',
  'late',
  'reorged',
  'multiple_deposits',
  'wrong_coin',
  'reissued',
] as const

export type PaymentFlag = (typeof PAYMENT_FLAGS)[number]

/** Whether the status is final: nothing that arrives later changes it. */
export function isPaymentFinal(status: PaymentStatus): boolean {
  return PAYMENT_TRANSITIONS[status].length === 0
}
