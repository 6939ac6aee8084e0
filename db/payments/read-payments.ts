/** Reads payments of a merchant. */

import type { PendingQuery, Row } from 'postgres'
import { KeyturnError } from '../../domain/errors.js'
import type { PaymentFlag, PaymentStatus } from '../../domain/payments/payment-status.js'
import type { Payment } from '../../wire/payment.js'
import type { Queryable } from '../connect.js'
import type { Slice } from '../slice.js'
import { depositsOfPayments } from './deposits-of-payments.js'
import { type PaymentRow, selectPayments } from './payment-row.js'
import { paymentView } from './payment-view.js'

/** Returns the view of a payment. @throws KeyturnError `NOT_FOUND`, also for another merchant's payment. */
export async function getPayment(sql: Queryable, merchantId: string, id: string): Promise<Payment> {
  const [row] = await sql<PaymentRow[]>`
    ${selectPayments(sql)} WHERE payment.id = ${id} AND payment.merchant_id = ${merchantId}`
  if (!row) throw paymentNotFound(id)
  const deposits = await depositsOfPayments(sql, [id])
  return paymentView(row, deposits.get(id) ?? [])
}

/** Creates the error for an id that is not a payment of the merchant. */
export function paymentNotFound(id: string): KeyturnError {
  return new KeyturnError('NOT_FOUND', 'There is no such payment; check the id', { details: { id } })
}

export interface PaymentFilter {
  readonly status?: PaymentStatus | undefined
  readonly orderId?: string | undefined
  readonly userReference?: string | undefined
  readonly network?: string | undefined
  readonly coin?: string | undefined
  /** Address in the network's canonical form. */
  readonly address?: string | undefined
  readonly flag?: PaymentFlag | undefined
  /** Created at or after this time. */
  readonly from?: Date | undefined
  /** Created before this time. */
  readonly to?: Date | undefined
}

/**
 * Whether a payment has a flag. Each is a literal and no parameter: a plan for any parameters cannot use the
 * partial index of a flag.
 */
const FLAGGED: Readonly<Record<PaymentFlag, (sql: Queryable) => PendingQuery<Row[]>>> = {
  underpaid: (sql) => sql`AND 'underpaid' = ANY (payment.flags)`,
  overpaid: (sql) => sql`AND 'overpaid' = ANY (payment.flags)`,
  late: (sql) => sql`AND 'late' = ANY (payment.flags)`,
  reorged: (sql) => sql`AND 'reorged' = ANY (payment.flags)`,
  multiple_deposits: (sql) => sql`AND 'multiple_deposits' = ANY (payment.flags)`,
  wrong_coin: (sql) => sql`AND 'wrong_coin' = ANY (payment.flags)`,
  reissued: (sql) => sql`AND 'reissued' = ANY (payment.flags)`,
}

/**
 * Lists views, newest first: by id, which sorts by time of creation, and within dates by the time itself. Each
 * filter narrows the list, and each one alone reads only the rows that it shows.
 */
export async function listPayments(
  sql: Queryable,
  merchantId: string,
  filter: PaymentFilter,
  slice: Slice,
): Promise<Payment[]> {
  const addressIds = await findFilteredAddresses(sql, merchantId, filter)
  if (addressIds?.length === 0) return []
  const isDated = filter.from !== undefined || filter.to !== undefined
  const newest = isDated ? sql`payment.created_at DESC, payment.id DESC` : sql`payment.id DESC`
  const older = isDated
    ? sql`AND (payment.created_at, payment.id) < (
        SELECT created_at, id FROM payments WHERE merchant_id = ${merchantId} AND id = ${slice.before})`
    : sql`AND payment.id < ${slice.before}`
  const matching = sql`
    SELECT payment.* FROM payments payment
    WHERE payment.merchant_id = ${merchantId}
      ${slice.before === null ? sql`` : older}
      ${narrowPayments(sql, { ...filter, network: undefined, coin: undefined }, addressIds)}`
  const isOfRail = filter.network !== undefined || filter.coin !== undefined
  // The newest of each coin of the network, so that one index serves a network, a coin, and both.
  const found = isOfRail
    ? sql`
        SELECT payment.* FROM known_coins rail CROSS JOIN LATERAL (
          ${matching} AND payment.network = rail.network AND payment.coin = rail.name
          ORDER BY ${newest} LIMIT ${slice.offset + slice.take}) payment
        WHERE true
          ${filter.network === undefined ? sql`` : sql`AND rail.network = ${filter.network}`}
          ${filter.coin === undefined ? sql`` : sql`AND rail.name = ${filter.coin}`}`
    : matching
  const rows = await sql<PaymentRow[]>`
    SELECT payment.*, address.address, address.derivation_path
    FROM (${found} ORDER BY ${newest} OFFSET ${slice.offset} LIMIT ${slice.take}) payment
    JOIN addresses address ON address.id = payment.address_id
    ORDER BY ${newest}`
  const deposits = await depositsOfPayments(
    sql,
    rows.map((row) => row.id),
  )
  return rows.map((row) => paymentView(row, deposits.get(row.id) ?? []))
}

/** Returns the conditions of a filter, to which the caller adds that of the merchant. */
export function narrowPayments(sql: Queryable, filter: PaymentFilter, addressIds: readonly string[] | null) {
  return sql`
    ${filter.status === undefined ? sql`` : sql`AND payment.status = ${filter.status}`}
    ${filter.orderId === undefined ? sql`` : sql`AND payment.order_id = ${filter.orderId}`}
    ${filter.userReference === undefined ? sql`` : sql`AND payment.user_reference = ${filter.userReference}`}
    ${filter.network === undefined ? sql`` : sql`AND payment.network = ${filter.network}`}
    ${filter.coin === undefined ? sql`` : sql`AND payment.coin = ${filter.coin}`}
    ${addressIds === null ? sql`` : sql`AND payment.address_id = ANY (${[...addressIds]})`}
    ${filter.flag === undefined ? sql`` : FLAGGED[filter.flag](sql)}
    ${filter.from === undefined ? sql`` : sql`AND payment.created_at >= ${filter.from}`}
    ${filter.to === undefined ? sql`` : sql`AND payment.created_at < ${filter.to}`}`
}

/**
 * Returns the ids of the merchant's addresses that a filter names, one on each of several EVM chains. `null`
 * when it names none.
 */
export async function findFilteredAddresses(
  sql: Queryable,
  merchantId: string,
  { address }: PaymentFilter,
): Promise<string[] | null> {
  if (address === undefined) return null
  const rows = await sql<{ id: string }[]>`
    SELECT id FROM addresses WHERE merchant_id = ${merchantId} AND address = ${address}`
  return rows.map((row) => row.id)
}
