/** Lists payments that a person has to look into, because no rule may decide about them. */

import type { Payment } from '@keyturn/client'

export type ExceptionKind =
  | 'paid_not_confirmed'
  | 'reorged'
  | 'underpaid'
  | 'overpaid'
  | 'late'
  | 'wrong_coin'
  | 'late_confirmed'
  | 'amount_changed'
  | 'paid_twice'
  | 'disputed'

export interface Exception {
  readonly payment_id: string
  readonly order_id: string | null
  readonly kind: ExceptionKind
  /** Every status with its time and cause, so that support needs no access to a wallet. */
  readonly history: Payment['history']
}

/** Time after which a payment that was seen should be confirmed. */
const STUCK_AFTER_MS = 3_600_000

/** Returns what stands out about a payment on any backend. `now` is in milliseconds. */
export function exceptionKinds(payment: Payment, now: number): ExceptionKind[] {
  const { status, flags, paid_at } = payment
  const kinds: ExceptionKind[] = []
  if (status === 'paid' && paid_at !== null && now - Date.parse(paid_at) > STUCK_AFTER_MS)
    kinds.push('paid_not_confirmed')
  // A part payment becomes an exception when no rest can come any more.
  const ended = status === 'expired' || status === 'cancelled'
  if (flags.includes('underpaid') && ended) kinds.push('underpaid')
  for (const flag of ['overpaid', 'late', 'wrong_coin', 'reorged'] as const)
    if (flags.includes(flag)) kinds.push(flag)
  return kinds
}

/** Returns the exception of a payment. */
export function exceptionOf(payment: Payment, kind: ExceptionKind): Exception {
  const { payment_id, order_id, history } = payment
  return { payment_id, order_id, kind, history }
}
