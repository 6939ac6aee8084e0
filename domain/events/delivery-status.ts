/** The states of a webhook delivery. */

export const DELIVERY_STATUSES = ['pending', 'delivered', 'held', 'exhausted', 'cancelled'] as const

/**
 * `pending` until a 2xx (`delivered`) or the window's end (`exhausted`); `held` while its endpoint is disabled;
 * `cancelled` when its endpoint was deleted. A redelivery makes any of them `pending` again, and an attempt that was under
 * way when its endpoint was disabled may still end in `delivered`; the merchant's own answer decides, so nothing is final.
 */
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number]

/** Statuses of deliveries that are still to be sent. Queries write the set with `members` of `db/members.ts`. */
export const OPEN_DELIVERIES: Readonly<Record<DeliveryStatus, boolean>> = {
  pending: true,
  delivered: false,
  held: true,
  exhausted: false,
  cancelled: false,
}
