/** Declares what a reconciliation finds: checks, and the differences between what two sources say. */

/**
 * Checks of the ledger against itself. Each guards what no other one does, so that one fault shows in one check.
 * - `journals`: every journal sums to zero for each coin and has its cause, and every cause has its journal.
 * - `balances`: every balance equals its entries, which have gapless versions.
 * - `totals`: the totals of every account equal what its journals brought and took.
 * - `holds`: what is reserved equals the open withdrawals, batches, deposits and disputes that reserve it.
 * - `deposits`: every deposit is booked as its status says, and no journal credits what is no deposit.
 * - `payouts`: every payout is settled in the books as its stage says, with the amount and the fee that left.
 * - `payments`: the sums of every payment equal its deposits.
 * - `events`: every change of a status has its event.
 * - `event_sequence`: the sequence of events has no gap, and every event is sealed in time.
 * - `deliveries`: every event has a delivery to each endpoint that takes it, and each delivery is under way.
 * - `audit_log`: the hash chain of the audit log is whole, and its head is the last entry.
 * - `address_counters`: no address lies past the counter of its key.
 * - `nonces`: every nonce in use belongs to an open payout or a signed attempt, and every signed attempt has its nonce.
 * - `reservations`: every reserved outpoint belongs to an open payout that spends it, and the other way round.
 * - `blocks`: every credited deposit lies in a block of the scanned chain.
 */
export const INTERNAL_CHECKS = [
  'journals',
  'balances',
  'totals',
  'holds',
  'deposits',
  'payouts',
  'payments',
  'events',
  'event_sequence',
  'deliveries',
  'audit_log',
  'address_counters',
  'nonces',
  'reservations',
  'blocks',
] as const
export type InternalCheckName = (typeof INTERNAL_CHECKS)[number]

/**
 * Checks of the ledger against the merchant's orders.
 * - `orders`: every order has its payments, with the same coin, sum, user and state.
 * - `lifecycle`: no payment that was seen waits for its credit longer than the lifecycle mapping allows.
 */
export const ORDER_CHECKS = ['orders', 'lifecycle'] as const

/** A check that reads the database alone. */
export type BooksCheckName = InternalCheckName | (typeof ORDER_CHECKS)[number]

/** Parts of a run: the ledger against the chain, against the merchant's orders, and against itself. */
export const RECONCILIATION_SCOPES = ['chain', 'orders', 'internal'] as const
export type ReconciliationScope = (typeof RECONCILIATION_SCOPES)[number]

/** A check of the database, or of the ledger against the chain of a network (`chain:bitcoin`). */
export type CheckName = BooksCheckName | `chain:${string}`

/** Returns the name of the check that compares a network, and the network of such a check. */
export const chainCheck = (network: string): CheckName => `chain:${network}`
export const networkOfCheck = (name: string): string | null =>
  name.startsWith('chain:') ? name.slice('chain:'.length) : null

/** Value of one side. `null` where that side has nothing. */
export type DifferenceValue = string | null

/**
 * What two sources say differently about one thing. Amounts are decimal strings in whole coins.
 *
 * `expected` is what the source says that the check trusts: the chain, the merchant's orders, the entries of the
 * ledger, the rows that a copy was made from. `actual` is what the checked side says: the books, the balance, the
 * copy.
 */
export interface Difference {
  /** Object that differs, e.g. `{type: 'address', id: 'addr_…'}`. */
  readonly subject: { readonly type: string; readonly id: string }
  readonly address?: string
  /** Outpoint as `txid:vout`. */
  readonly outpoint?: string
  /** Account of the ledger as exports name it, e.g. `available:user-7`. */
  readonly account?: string
  readonly order_id?: string
  /** Field of the object that differs, where it has several, e.g. `amount`. */
  readonly field?: string
  /** `null` where the object belongs to no network. */
  readonly network: string | null
  readonly coin: string | null
  readonly expected: DifferenceValue
  readonly actual: DifferenceValue
  /** Why, in one sentence for people. */
  readonly reason?: string
}

/** The exception that a difference raises. */
export interface DifferenceAbout {
  readonly kind: 'drift' | 'unattributed' | 'order_mismatch' | 'stuck' | 'paid_not_confirmed'
  /** Name of the cause. The same cause raises one exception. */
  readonly cause: string
  readonly payment_id?: string | null
  readonly user_reference?: string | null
}

/** Returns the exception of a difference that concerns the books alone. */
export function driftOf(
  check: CheckName,
  { subject, field, network, coin, account }: Difference,
): DifferenceAbout {
  const cause = ['drift', check, subject.type, subject.id, field ?? '', network ?? '', coin ?? ''].join(':')
  const user = /^(?:available|reserved):(.*)$/s.exec(account ?? '')?.[1]
  return { kind: 'drift', cause, ...(user === undefined ? {} : { user_reference: user }) }
}

/** Differences of a check that are stored. Further ones are counted. */
export const MOST_STORED_DIFFERENCES = 10_000
/** Things not yet due of a check that are stored. Further ones are counted. */
export const MOST_STORED_EXPECTED = 1_000

/** Collects what a check finds: counts everything, and keeps what will be stored. */
export class Findings {
  readonly differences: Difference[] = []
  /** The exception that each of the differences raises. `null`: a drift of the books. */
  readonly about: (DifferenceAbout | null)[] = []
  readonly expected: Difference[] = []
  differenceCount = 0
  expectedCount = 0
  readonly #networks: ReadonlySet<string> | null

  /** @param networks - Networks to which the run is limited; what concerns another one is left out. Default: all. */
  constructor(networks: readonly string[] | null = null) {
    this.#networks = networks === null ? null : new Set(networks)
  }

  /** Adds what differs. @param about - The exception that it raises. Default: a drift of the books. */
  differ(difference: Difference, about: DifferenceAbout | null = null): void {
    if (this.#isOutside(difference)) return
    this.differenceCount++
    if (this.differences.length >= MOST_STORED_DIFFERENCES) return
    this.differences.push(difference)
    this.about.push(about)
  }

  /** Adds what is not due yet. */
  expect(difference: Difference): void {
    if (this.#isOutside(difference)) return
    this.expectedCount++
    if (this.expected.length < MOST_STORED_EXPECTED) this.expected.push(difference)
  }

  #isOutside({ network }: Difference): boolean {
    return this.#networks !== null && network !== null && !this.#networks.has(network)
  }
}
