/** Chooses the screen of the checkout page. */

import type { PaymentFlag, PaymentStatus } from './payment-status.js'

/**
 * Screens. Only `pending` and `partial` show a way to pay.
 *
 * - `partial`: a part has arrived, and there is time for the rest.
 * - `late`: it ended, and something arrived afterwards.
 */
export type CheckoutScreen = 'pending' | 'partial' | 'paid' | 'confirmed' | 'late' | 'expired' | 'cancelled'

/** What a screen follows from. Amounts are base units, times milliseconds since the epoch. */
export interface CheckoutState {
  readonly status: PaymentStatus
  readonly flags: readonly PaymentFlag[]
  readonly detected: bigint
  readonly expiresAt: number
  readonly now: number
}

/**
 * Returns the screen. A payment whose time is over shows no way to pay, also while its status is still
 * `pending` because its timer is late or a reorg may give a deposit back.
 */
export function checkoutScreen({ status, flags, detected, expiresAt, now }: CheckoutState): CheckoutScreen {
  switch (status) {
    case 'confirmed':
    case 'paid':
      return status
    case 'pending':
      if (now >= expiresAt) return flags.includes('late') ? 'late' : 'expired'
      return detected > 0n ? 'partial' : 'pending'
    case 'expired':
    case 'cancelled':
      return flags.includes('late') ? 'late' : status
  }
}
