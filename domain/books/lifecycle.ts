/** Defines the mapping between the states of a merchant's orders and the statuses of payments. */

import type { PaymentStatus } from '../payments/payment-status.js'

/** A state of orders, as the merchant names it. */
export interface Gate {
  readonly gate: string
  /** Statuses of a payment that fulfil it. */
  readonly satisfied_by: readonly PaymentStatus[]
  /** Duration as the merchant sent it, such as `15m`. */
  readonly stuck_after: string
  /** Milliseconds after which an order whose payment does not fulfil the gate is stuck. */
  readonly stuck_ms: number
}

export interface LifecycleMapping {
  /** Gates, in the order in which an order reaches them. */
  readonly gates: readonly Gate[]
  /** `complete`: every payment with money has an order, so that one without is a difference. */
  readonly orders: 'complete' | null
}

const DAY = { stuck_after: '24h', stuck_ms: 86_400_000 } as const

/** Version 0, which holds until the merchant stores one: orders have the states of payments. */
export const DEFAULT_MAPPING: LifecycleMapping = {
  gates: [
    { gate: 'pending', satisfied_by: ['pending', 'paid', 'confirmed'], ...DAY },
    { gate: 'paid', satisfied_by: ['paid', 'confirmed'], ...DAY },
    { gate: 'confirmed', satisfied_by: ['confirmed'], ...DAY },
    { gate: 'expired', satisfied_by: ['expired'], ...DAY },
    { gate: 'cancelled', satisfied_by: ['cancelled'], ...DAY },
  ],
  orders: null,
}

/**
 * Returns the milliseconds after which a payment that was seen, and is not credited, is late: those of the first
 * gate that only a credited payment fulfils. Without such a gate it is a day, so that no mapping ends the check.
 */
export function creditDueMs({ gates }: LifecycleMapping): number {
  const gate = gates.find(
    ({ satisfied_by }) => satisfied_by.includes('confirmed') && !satisfied_by.includes('paid'),
  )
  return gate?.stuck_ms ?? DAY.stuck_ms
}
