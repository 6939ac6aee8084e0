/** Reads a payment's row, with its address. */

import type { PaymentFlag, PaymentStatus } from '../../domain/payments/payment-status.js'
import type { PaymentHistoryEntry, Quote, Tolerance } from '../../wire/payment.js'
import type { Queryable, Transaction } from '../connect.js'

export interface PaymentRow {
  readonly id: string
  readonly merchant_id: string
  readonly user_reference: string
  readonly network: string
  readonly coin: string
  readonly decimals: number
  readonly address_id: string
  readonly address: string
  readonly derivation_path: string
  /** Base units. `null` for an open payment. */
  readonly amount: bigint | null
  /** Base units by which the amount may be missed. */
  readonly allowance: bigint
  readonly tolerance: Tolerance | null
  readonly quote: Quote | null
  readonly order_id: string | null
  readonly success_url: string | null
  readonly failure_url: string | null
  readonly metadata: Readonly<Record<string, unknown>>
  readonly payment_uri: string
  readonly checkout_token: string
  readonly checkout_url: string
  readonly status: PaymentStatus
  readonly flags: readonly PaymentFlag[]
  /** Base units. */
  readonly amount_detected: bigint
  /** Base units. */
  readonly amount_confirmed: bigint
  readonly reorged: boolean
  readonly history: readonly PaymentHistoryEntry[]
  readonly version: number
  readonly attempt_of: string | null
  readonly reissued_as: string | null
  readonly created_at: Date
  readonly expires_at: Date
  readonly updated_at: Date
  readonly paid_at: Date | null
  readonly confirmed_at: Date | null
  readonly ended_at: Date | null
}

/** Returns `SELECT … FROM` of a `PaymentRow`, to which the caller adds a WHERE. The table is named payment. */
export const selectPayments = (sql: Queryable) => sql`
  SELECT payment.*, address.address, address.derivation_path
  FROM payments payment JOIN addresses address ON address.id = payment.address_id`

/** Payment whose row is locked, with the time of the database after the lock was obtained. */
export interface LockedPayment extends PaymentRow {
  readonly now: Date
}

/**
 * Locks payments until the transaction ends, in the order of their ids. Lock deposits before, never after.
 */
export async function lockPayments(tx: Transaction, ids: readonly string[]): Promise<LockedPayment[]> {
  const rows = await tx<PaymentRow[]>`
    ${selectPayments(tx)} WHERE payment.id = ANY (${[...ids]}) ORDER BY payment.id FOR UPDATE OF payment`
  const [clock] = await tx<{ now: Date }[]>`SELECT clock_timestamp() AS now`
  return rows.map((row) => ({ ...row, now: clock?.now ?? new Date() }))
}
