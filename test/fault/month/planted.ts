/** What the plan of a month makes checks and the queue say. */

import { assertNever } from '../../../domain/assert-never.js'
import { formatAmount } from '../../../domain/money.js'
import { type Losses, MISSED } from './lose-coins.js'
import type { Order, Shop } from './open-shop.js'
import { deadDeliveries } from './run-shop.js'
import { FORGOTTEN } from './upload-orders.js'

/** Returns the differences of the first run, as `check subject field expected actual`. */
export function plantedDifferences({ orders, the }: Shop, { missed, fallen, balances }: Losses): string[] {
  return [
    `chain:bitcoin ${missed.id} undefined ${MISSED} null`,
    `chain:ethereum ${fallen.id} undefined ${balances.after} ${balances.before}`,
    ...orders.flatMap(mistakesOf),
    `orders ${FORGOTTEN.orderId} payment a payment of ${FORGOTTEN.amount} null`,
    `lifecycle ${the('is held').paymentId} status confirmed paid`,
  ]
}

function mistakesOf({ customer: { orderId, fault, decimals, amount }, paymentId }: Order): string[] {
  const [wrong, right] = [amount + 1n, amount].map((each) => formatAmount(each, decimals))
  switch (fault) {
    case 'another amount':
      return [`orders ${orderId} amount ${wrong} ${right}`]
    case 'no line':
      return [`orders ${paymentId} order null ${right}`]
    case 'a state too far':
      return [`orders ${orderId} state shipped (confirmed)`]
    case null:
      return []
    default:
      return assertNever(fault)
  }
}

/** Returns the order whose customer wants the money back. */
export function disputedIn(shop: Shop): Order {
  const found = shop.byCourse('btc', 'pays').at(-1)
  if (!found) throw new Error('No customer pays in Bitcoin')
  return found
}

/**
 * Returns the exceptions, as `kind: subject`.
 *
 * @param rejected - Id of the deposit that was rejected.
 */
export async function plantedExceptions(
  shop: Shop,
  rejected: string,
  { theft, nobodys, missed, fallen }: Losses,
): Promise<string[]> {
  const about = (kind: string, list: readonly Order[]) => list.map(({ paymentId }) => `${kind}: ${paymentId}`)
  return [
    ...about('paid_not_confirmed', [shop.the('is held')]),
    ...about('late_confirmed', [shop.the('is confirmed late')]),
    ...about('dispute', [disputedIn(shop)]),
    ...about('reorged', [shop.the('is taken back')]),
    ...about('late', [
      ...shop.byCourse('btc', 'pays late', 'pays after the cancellation'),
      ...shop.byCourse('usdt', 'pays late'),
    ]),
    ...about('wrong_amount', [
      ...shop.byCourse('btc', 'pays too little', 'pays too much'),
      ...shop.byCourse('usdt', 'pays too much'),
    ]),
    ...about('duplicate', [...shop.byCourse('btc', 'pays twice'), ...shop.byCourse('usdt', 'pays twice')]),
    ...about('wrong_coin', shop.byCourse('usdt', 'pays another coin')),
    ...shop.orders.flatMap(orderExceptions),
    `order_mismatch: ${FORGOTTEN.orderId}`,
    `rejected_deposit: ${rejected}`,
    `foreign_spend: ${theft}`,
    `unattributed: ${nobodys}`,
    `unattributed: ${missed.id}`,
    `drift: ${fallen.id}`,
    ...(await deadDeliveries(shop)).map(({ id }) => `webhook_exhausted: ${id}`),
  ]
}

function orderExceptions({ customer: { orderId, fault, course }, paymentId }: Order): string[] {
  if (fault === null) return []
  if (fault === 'no line') return [`order_mismatch: ${paymentId}`]
  // An order is stuck whose payment still waits for its payer.
  return [`${course === 'leaves' ? 'stuck' : 'order_mismatch'}: ${orderId}`]
}
