/** Has every check of the database by its name: of the ledger against itself, and against the merchant's orders. */

import { type BooksCheckName, INTERNAL_CHECKS, ORDER_CHECKS } from '../../../domain/books/difference.js'
import { addressCounters } from './checks/address-counters.js'
import { auditLog } from './checks/audit-log.js'
import { balances } from './checks/balances.js'
import { blocks } from './checks/blocks.js'
import type { BooksCheck } from './checks/check.js'
import { deliveries } from './checks/deliveries.js'
import { deposits } from './checks/deposits.js'
import { eventSequence } from './checks/event-sequence.js'
import { events } from './checks/events.js'
import { holds } from './checks/holds.js'
import { journals } from './checks/journals.js'
import { lifecycle } from './checks/lifecycle.js'
import { nonces } from './checks/nonces.js'
import { orders } from './checks/orders.js'
import { payments } from './checks/payments.js'
import { payouts } from './checks/payouts.js'
import { reservations } from './checks/reservations.js'
import { totals } from './checks/totals.js'

/** The check of each name. */
export const BOOKS_CHECK: Readonly<Record<BooksCheckName, BooksCheck>> = {
  journals,
  balances,
  totals,
  holds,
  deposits,
  payouts,
  payments,
  events,
  event_sequence: eventSequence,
  deliveries,
  audit_log: auditLog,
  address_counters: addressCounters,
  nonces,
  reservations,
  blocks,
  orders,
  lifecycle,
}

/** Returns whether a check reads the database alone. */
export function isBooksCheck(name: string): name is BooksCheckName {
  return ([...INTERNAL_CHECKS, ...ORDER_CHECKS] as readonly string[]).includes(name)
}
