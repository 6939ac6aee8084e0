/** Reads what the checkout page of a payment shows. */

import type { Queryable } from '../connect.js'
import { type DepositOfPayment, depositsOfPayments } from './deposits-of-payments.js'
import type { PaymentRow } from './payment-row.js'

/** Fields of a payment that its payer sees. Metadata, the user's reference and the history are not among them. */
export interface Checkout
  extends Pick<
    PaymentRow,
    | 'id'
    | 'network'
    | 'coin'
    | 'decimals'
    | 'address'
    | 'amount'
    | 'amount_detected'
    | 'amount_confirmed'
    | 'payment_uri'
    | 'order_id'
    | 'success_url'
    | 'failure_url'
    | 'status'
    | 'flags'
    | 'created_at'
    | 'expires_at'
  > {
  readonly merchant_name: string
  /** `#` and six hex digits. `null` if the merchant has none. */
  readonly merchant_colour: string | null
  readonly deposits: readonly DepositOfPayment[]
  /** Time of the database. */
  readonly now: Date
}

/** Returns the checkout with this token. `null` if there is none. */
export async function readCheckout(sql: Queryable, token: string): Promise<Checkout | null> {
  const [checkout] = await read(sql, sql`payment.checkout_token = ${token}`)
  return checkout ?? null
}

/** Returns the checkouts of payments, in no order. */
export function readCheckouts(sql: Queryable, ids: readonly string[]): Promise<Checkout[]> {
  return read(sql, sql`payment.id = ANY (${[...ids]})`)
}

/** Returns the id of the payment with this token. `null` if there is none. */
export async function findCheckout(sql: Queryable, token: string): Promise<string | null> {
  const [row] = await sql<{ id: string }[]>`SELECT id FROM payments WHERE checkout_token = ${token}`
  return row?.id ?? null
}

/** Returns how far each chain was scanned, which is what confirmations count from. */
export async function readHeights(sql: Queryable): Promise<ReadonlyMap<string, bigint>> {
  const rows = await sql<{ network: string; height: bigint }[]>`SELECT network, height FROM chain_cursors`
  return new Map(rows.map(({ network, height }) => [network, height]))
}

async function read(sql: Queryable, where: ReturnType<typeof sql>): Promise<Checkout[]> {
  const rows = await sql<Omit<Checkout, 'deposits'>[]>`
    SELECT payment.id, payment.network, payment.coin, payment.decimals, address.address, payment.amount,
           payment.amount_detected, payment.amount_confirmed, payment.payment_uri, payment.order_id,
           payment.success_url, payment.failure_url, payment.status, payment.flags, payment.created_at, payment.expires_at,
           merchant.name AS merchant_name, merchant.colour AS merchant_colour, clock_timestamp() AS now
    FROM payments payment
    JOIN addresses address ON address.id = payment.address_id
    JOIN merchants merchant ON merchant.id = payment.merchant_id
    WHERE ${where}`
  // A payment for which nothing has arrived needs no second query.
  const paid = rows.filter((row) => row.amount_detected > 0n || row.flags.length > 0).map((row) => row.id)
  const deposits = paid.length === 0 ? null : await depositsOfPayments(sql, paid)
  return rows.map((row) => ({ ...row, deposits: deposits?.get(row.id) ?? [] }))
}
