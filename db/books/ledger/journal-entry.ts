/** Declares an entry of a journal. */

/** Kind of account, as migration `003_ledger.sql` explains it. */
export type AccountKind = 'chain' | 'available' | 'reserved' | 'network_fee'

/** Entry of a journal. */
export interface JournalEntry {
  readonly network: string
  readonly coin: string
  readonly kind: AccountKind
  /**
   * Owner: an address id for `chain`, a user reference (or '' for the merchant) for liabilities, '' for
   * `network_fee`.
   */
  readonly owner: string
  /** Amount in base units: a debit is positive, a credit is negative. It is never zero. */
  readonly amount: bigint
  /** Part of the amount that the network took. Read from the journal that a reversal reverses, else computed. */
  readonly fee?: bigint | null
  /** Part of the amount that went to another address of the merchant. As `fee`. */
  readonly moved?: bigint | null
}
