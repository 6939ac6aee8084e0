/** The states of a webhook delivery and the only ways between them. */

export const DELIVERY_STATUSES = ['pending', 'delivered', 'held', 'exhausted', 'cancelled'] as const

export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number]

/**
 * `pending` until a 2xx (`delivered`) or the window's end (`exhausted`); `held` while its endpoint is disabled;
 * (an attempt that was under way then may still deliver it); `cancelled` when its endpoint was deleted. A redelivery makes any of them `pending` again.
 */
export const DELIVERY_TRANSITIONS: Readonly<Record<DeliveryStatus, readonly DeliveryStatus[]>> = {
  pending: ['delivered', 'held', 'exhausted', 'cancelled'],
  delivered: ['pending'],
  held: ['pending', 'delivered', 'cancelled'],
  exhausted: ['pending', 'cancelled'],
  cancelled: [],
}
