/** Lists the statuses of a webhook delivery and the transitions between them. */

export const DELIVERY_STATUSES = ['pending', 'delivered', 'held', 'exhausted', 'cancelled'] as const

export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number]

/**
 * Transitions of a delivery.
 *
 * ```
 * pending ─┬─► delivered                 the endpoint answered 2xx
 *          ├─► exhausted                 every attempt of the retry window failed
 *          ├─► held ─┬─► pending         the endpoint was paused or disabled, and is active again
 *          │         ├─► delivered       an attempt was under way when it was paused or disabled
 *          │         └─► cancelled
 *          └─► cancelled                 the endpoint was deleted
 * delivered, exhausted ──► pending       a redelivery or a replay was requested
 * ```
 */
export const DELIVERY_TRANSITIONS: Readonly<Record<DeliveryStatus, readonly DeliveryStatus[]>> = {
  pending: ['delivered', 'held', 'exhausted', 'cancelled'],
  delivered: ['pending'],
  held: ['pending', 'delivered', 'cancelled'],
  exhausted: ['pending'],
  cancelled: [],
}

/** Statuses of deliveries that are still to be sent. Queries write the set with `members`. */
export const OPEN_DELIVERIES: Readonly<Record<DeliveryStatus, boolean>> = {
  pending: true,
  delivered: false,
  held: true,
  exhausted: false,
  cancelled: false,
}
