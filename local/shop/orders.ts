/** Keeps the orders of the sample shop: what its webhooks said last about each payment. */

import type { MerchantEvent, PaymentStatusChanged } from '../../client/types.js'

/** An order, as the shop knows it. */
export type Order = Pick<
  PaymentStatusChanged,
  'payment_id' | 'order_id' | 'status' | 'network' | 'coin' | 'amount' | 'checkout_url' | 'created_at'
>

export interface Orders {
  /** Takes a verified event. One that is older than what is known changes nothing, so repeats do not either. */
  take(event: MerchantEvent): void
  /** Returns the newest orders, the newest first. */
  newest(count: number): readonly Order[]
}

/** Creates an empty list. */
export function createOrders(): Orders {
  const known = new Map<string, { readonly sequence: number; readonly order: Order }>()
  return {
    take(event) {
      if (event.event !== 'payment.status_changed' || event.data.order_id === null) return
      const { payment_id } = event.data
      if ((known.get(payment_id)?.sequence ?? 0) >= event.sequence) return
      known.set(payment_id, { sequence: event.sequence, order: event.data })
    },
    newest: (count) =>
      [...known.values()]
        .map(({ order }) => order)
        .sort((one, other) => other.created_at.localeCompare(one.created_at))
        .slice(0, count),
  }
}
