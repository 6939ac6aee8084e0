/** Uploads the orders of a month as the shop keeps them: with planted faults first, and corrected later. */

import type { Client } from '../../../client/create-client.js'
import { formatAmount } from '../../../domain/money.js'
import type { OrderUpload } from '../../../wire/lifecycle.js'
import type { Order } from './open-shop.js'
import { FULFILLED } from './plan-month.js'

/** An order for which the shop made no payment before the first upload. */
export const FORGOTTEN = { orderId: 'forgotten-order', amount: '0.5' } as const

/**
 * Uploads a line for each order.
 *
 * @param at - Time of the orders. A state that is not reached a second later is stuck.
 * @param corrected - Whether the shop has corrected the planted faults.
 */
export function uploadOrders(
  client: Client,
  orders: readonly Order[],
  at: Date,
  corrected: boolean,
): Promise<OrderUpload> {
  const lines = orders.flatMap(({ customer, paymentId }) => {
    const { fault, decimals, network, coin } = customer
    const wrong = corrected ? null : fault
    if (wrong === 'no line') return []
    const amount = formatAmount(customer.amount + (wrong === 'another amount' ? 1n : 0n), decimals)
    const state = FULFILLED.includes(customer.course) || wrong === 'a state too far' ? 'shipped' : 'placed'
    return [[customer.orderId, paymentId, customer.user, network, coin, amount, state, at.toISOString()]]
  })
  if (!corrected) {
    lines.push([FORGOTTEN.orderId, '', '', 'bitcoin', 'btc', FORGOTTEN.amount, 'placed', at.toISOString()])
  }
  const head = 'order_id,payment_id,user_reference,network,coin,amount,state,at'
  return client.reconciliation.uploadOrders({
    type: 'text/csv',
    content: [head, ...lines.map((line) => line.join(','))].join('\n'),
  })
}
