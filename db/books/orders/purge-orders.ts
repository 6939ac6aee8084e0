/** Deletes uploaded orders that have been kept long enough, together with all that share their payments. */

import type { Sql, Transaction } from '../../connect.js'
import { type PurgedPage, purgeInPages } from '../../purge-in-pages.js'
import { lockOrders } from './lock-orders.js'

/** Lines of one transaction. Uploads of the merchant wait for it. */
const PAGE = 500
/** Payments of an order, and orders of a payment, up to which they are looked at. Those with more stay. */
const MOST_SHARED = 100

/**
 * Deletes orders whose lines, uploads and payments are older than the retention. The sum of a payment is compared
 * with all its orders, so they go at once or not at all. These stay: an order whose payment may still change, one with
 * an exception that is open or whose cause stands, and one that shares a payment with an order that stays.
 *
 * @param enoughMs - Time after which the others are left to the next call. Default: that of `purgeInPages`.
 * @returns How many orders were deleted.
 */
export async function purgeOrders(sql: Sql, retentionMs: number, enoughMs?: number): Promise<number> {
  return await purgeInPages<Place>(
    sql,
    'orders',
    async (tx, after) => {
      const [clock] = await tx<{ before: string }[]>`
        SELECT (clock_timestamp() - ${retentionMs} * interval '1 millisecond')::text AS before`
      if (!clock) throw new Error('PostgreSQL returned no time')
      return await purgePage(tx, clock.before, after ?? startOf(''))
    },
    enoughMs,
  )
}

/** Place of a line: merchant after merchant, and the lines of each in the order of time. */
interface Place {
  readonly merchant_id: string
  readonly at: string
  readonly order_id: string
}

function startOf(merchantId: string): Place {
  return { merchant_id: merchantId, at: '-infinity', order_id: '' }
}

/** Deletes from the next lines of the merchant. Without any, the next page begins at the next merchant. */
async function purgePage(tx: Transaction, before: string, after: Place): Promise<PurgedPage<Place>> {
  const merchantId = after.merchant_id
  await lockOrders(tx, merchantId)
  const lines = await tx<Place[]>`
    SELECT merchant_id, at::text, order_id FROM merchant_orders
    WHERE merchant_id = ${merchantId} AND at < ${before}::text::timestamptz
      AND (at, order_id) > (${after.at}::text::timestamptz, ${after.order_id})
    ORDER BY at, order_id LIMIT ${PAGE}`
  if (lines.length === 0) {
    const [merchant] = await tx<{ id: string }[]>`
      SELECT id FROM merchants
      WHERE id > ${merchantId} AND EXISTS (
        SELECT FROM merchant_orders WHERE merchant_id = merchants.id AND at < ${before}::text::timestamptz)
      ORDER BY id LIMIT 1`
    return { purged: 0, next: merchant ? startOf(merchant.id) : null }
  }
  const ids = [...new Set(lines.map((line) => line.order_id))]
  const [row] = await tx<{ orders: string[]; payments: string[] }[]>`
    WITH seed AS MATERIALIZED (
      SELECT order_id FROM unnest(${ids}::text[]) AS seed (order_id)
    ), own AS MATERIALIZED (
      SELECT seed.order_id AS seed, link.payment_id
      FROM seed CROSS JOIN LATERAL (${paymentsOf(tx, merchantId, 'seed.order_id')}) link
    ), near AS MATERIALIZED (
      SELECT order_id AS seed, order_id FROM seed
      UNION
      SELECT own.seed, other.order_id
      FROM own CROSS JOIN LATERAL (
        (SELECT order_id FROM merchant_orders
         WHERE merchant_id = ${merchantId} AND payment_id = own.payment_id AND payment_id <> ''
         LIMIT ${MOST_SHARED + 1})
        UNION
        SELECT order_id FROM payments
        WHERE merchant_id = ${merchantId} AND id = own.payment_id AND order_id IS NOT NULL
      ) other
    ), kept AS (
      SELECT seed FROM own GROUP BY seed HAVING count(*) > ${MOST_SHARED}
      UNION SELECT seed FROM near GROUP BY seed HAVING count(*) > ${MOST_SHARED}
      -- A payment that may still change, or is newer.
      UNION SELECT own.seed FROM own JOIN payments payment ON payment.id = own.payment_id
      WHERE payment.merchant_id = ${merchantId}
        AND (payment.status IN ('pending', 'paid') OR payment.amount IS NULL AND payment.ended_at IS NULL
             OR payment.created_at >= ${before}::text::timestamptz)
      -- An order that is newer, or was uploaded again.
      UNION SELECT near.seed FROM near JOIN merchant_orders line
        ON line.merchant_id = ${merchantId} AND line.order_id = near.order_id
      LEFT JOIN order_uploads upload ON upload.id = line.upload_id
      WHERE line.at >= ${before}::text::timestamptz OR upload.created_at >= ${before}::text::timestamptz
      -- An order that shares another payment with further orders.
      UNION SELECT near.seed FROM near CROSS JOIN LATERAL (${paymentsOf(tx, merchantId, 'near.order_id')}) link
      WHERE NOT EXISTS (SELECT FROM own WHERE own.seed = near.seed AND own.payment_id = link.payment_id)
      -- An exception about an order or a payment.
      UNION SELECT own.seed FROM own JOIN exceptions known
        ON known.merchant_id = ${merchantId} AND known.payment_id = own.payment_id
      WHERE known.status <> 'resolved' OR known.cause_gone_at IS NULL
      UNION SELECT near.seed FROM near JOIN merchant_orders line
        ON line.merchant_id = ${merchantId} AND line.order_id = near.order_id
      JOIN exceptions known
        ON known.merchant_id = ${merchantId} AND known.cause IN (
          SELECT 'order:' || line.order_id || ':' || line.payment_id || ':' || field
          FROM unnest('{payment,network,coin,amount,user_reference,state}'::text[]) AS each (field))
      WHERE known.status <> 'resolved' OR known.cause_gone_at IS NULL
    ), gone AS (
      SELECT order_id AS seed FROM seed EXCEPT SELECT seed FROM kept
    )
    SELECT ARRAY(SELECT DISTINCT near.order_id FROM near JOIN gone USING (seed)) AS orders,
           ARRAY(SELECT DISTINCT own.payment_id FROM own JOIN gone USING (seed)) AS payments`
  const { orders, payments } = row ?? { orders: [], payments: [] }
  await tx`SELECT FROM payments WHERE merchant_id = ${merchantId} AND id = ANY (${payments}) ORDER BY id FOR UPDATE`
  await tx`
    UPDATE payments SET orders_purged_at = clock_timestamp()
    WHERE merchant_id = ${merchantId} AND id = ANY (${payments})`
  await tx`DELETE FROM merchant_orders WHERE merchant_id = ${merchantId} AND order_id = ANY (${orders})`
  return { purged: orders.length, next: lines.at(-1) ?? null }
}

/** Selects the payments with which an order is compared. */
function paymentsOf(tx: Transaction, merchantId: string, order: 'seed.order_id' | 'near.order_id') {
  return tx`
    (SELECT payment_id FROM merchant_orders
     WHERE merchant_id = ${merchantId} AND order_id = ${tx(order)} AND payment_id <> '' LIMIT ${MOST_SHARED + 1})
    UNION
    (SELECT id FROM payments
     WHERE merchant_id = ${merchantId} AND order_id = ${tx(order)} LIMIT ${MOST_SHARED + 1})`
}
