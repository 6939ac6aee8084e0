/** Stores the lines of an upload of orders, in one transaction. */

import type { OrderLine } from '../../../domain/books/order-line.js'
import { appendAudit } from '../../audit/append-audit.js'
import type { Transaction } from '../../connect.js'
import { newId } from '../../new-id.js'
import { lockOrders } from './lock-orders.js'

/** An order, and where it stands in the file. */
export interface PlacedOrder {
  readonly line: number
  readonly order: OrderLine
}

/**
 * Stores lines of an upload. The same order and payment replaces what an earlier upload stored.
 *
 * @returns Those lines whose order and payment a line of this upload has before them. They are not stored.
 */
export async function storeOrders(
  tx: Transaction,
  { merchantId, uploadId }: { readonly merchantId: string; readonly uploadId: string },
  placed: readonly PlacedOrder[],
): Promise<PlacedOrder[]> {
  const keyOf = ({ order }: PlacedOrder) => JSON.stringify([order.orderId, order.paymentId])
  const first = new Map<string, PlacedOrder>()
  for (const each of placed) if (!first.has(keyOf(each))) first.set(keyOf(each), each)
  const orders = [...first.values()].map(({ order }) => order)
  const stored = await tx<{ order_id: string; payment_id: string }[]>`
    INSERT INTO merchant_orders AS known (
      merchant_id, order_id, payment_id, user_reference, network, coin, amount, state, at, upload_id)
    SELECT ${merchantId}, each.*, ${uploadId} FROM unnest(
      ${orders.map((order) => order.orderId)}::text[], ${orders.map((order) => order.paymentId)}::text[],
      ${orders.map((order) => order.userReference)}::text[], ${orders.map((order) => order.network)}::text[],
      ${orders.map((order) => order.coin)}::text[], ${orders.map((order) => order.amount.toString())}::text[]::numeric[],
      ${orders.map((order) => order.state)}::text[], ${orders.map((order) => order.at.toISOString())}::text[]::timestamptz[]
    ) AS each (order_id, payment_id, user_reference, network, coin, amount, state, at)
    ON CONFLICT (merchant_id, order_id, payment_id) DO UPDATE SET
      user_reference = excluded.user_reference, network = excluded.network, coin = excluded.coin,
      amount = excluded.amount, state = excluded.state, at = excluded.at, upload_id = excluded.upload_id
    WHERE known.upload_id <> excluded.upload_id
    RETURNING order_id, payment_id`
  const kept = new Set(stored.map((row) => JSON.stringify([row.order_id, row.payment_id])))
  return placed.filter((each) => first.get(keyOf(each)) !== each || !kept.has(keyOf(each)))
}

/** Returns the id of a new upload, under the lock of the merchant's uploads. Uploads of a merchant take turns. */
export async function beginUpload(tx: Transaction, merchantId: string): Promise<string> {
  await lockOrders(tx, merchantId)
  return newId('upl')
}

/** Stores the upload itself, once its lines are stored. */
export async function endUpload(
  tx: Transaction,
  upload: {
    readonly id: string
    readonly merchantId: string
    readonly accepted: number
    readonly rejected: number
    readonly createdBy: string
    readonly actor: string
  },
): Promise<void> {
  const { id, merchantId, accepted, rejected } = upload
  await tx`
    INSERT INTO order_uploads (id, merchant_id, accepted, rejected, created_by)
    VALUES (${id}, ${merchantId}, ${accepted}, ${rejected}, ${upload.createdBy})`
  await appendAudit(tx, {
    merchantId,
    actor: upload.actor,
    action: 'orders.uploaded',
    subject: id,
    data: { accepted, rejected },
  })
}
