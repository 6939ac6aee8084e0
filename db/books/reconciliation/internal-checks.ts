/** Lists the checks of the ledger against itself, in the order in which a run makes them. */

import { INTERNAL_CHECKS, type InternalCheckName } from '../../../domain/books/difference.js'
import { addressCounters } from './checks/address-counters.js'
import { auditLog } from './checks/audit-log.js'
import { balances } from './checks/balances.js'
import { blocks } from './checks/blocks.js'
import type { InternalCheck } from './checks/check.js'
import { deliveries } from './checks/deliveries.js'
import { deposits } from './checks/deposits.js'
import { eventSequence } from './checks/event-sequence.js'
import { events } from './checks/events.js'
import { holds } from './checks/holds.js'
import { journals } from './checks/journals.js'
import { nonces } from './checks/nonces.js'
import { payments } from './checks/payments.js'
import { payouts } from './checks/payouts.js'
import { reservations } from './checks/reservations.js'
import { totals } from './checks/totals.js'

/** The check of each name. */
export const INTERNAL_CHECK: Readonly<Record<InternalCheckName, InternalCheck>> = {
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
}

/** Returns whether a check compares the ledger with itself. */
export function isInternal(name: string): name is InternalCheckName {
  return (INTERNAL_CHECKS as readonly string[]).includes(name)
}
