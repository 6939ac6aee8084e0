/** Reads a deposit's row, with the address that it pays. */

import type { DepositStatus } from '../../domain/deposits/deposit-status.js'
import type { AmountAtAddress } from '../../wire/deposit.js'
import type { Queryable } from '../connect.js'

/** Line of a deposit's history. */
export interface DepositHistoryEntry {
  readonly status: DepositStatus
  /** Time, ISO 8601 UTC. */
  readonly at: string
  /** Cause of the status, for people. */
  readonly cause: string
}

/** Decision of a person about a held deposit. */
export interface DepositDecision {
  readonly verdict: 'release' | 'reject'
  /** Id of the person or, without one, of the API key. */
  readonly by: string
  readonly reason: string
  /** Time, ISO 8601 UTC. */
  readonly at: string
  /** Mining of the deposit that the decision is about. */
  readonly epoch: number
}

export interface DepositRow {
  readonly id: string
  readonly merchant_id: string
  readonly network: string
  readonly coin: string
  readonly address_id: string
  readonly user_reference: string | null
  readonly txid: string
  readonly output_index: number
  /**
   * Number of the deposit among those at the same place of a transaction: 0 for the first. It grows if the
   * chain, after a reorg, pays another recipient there.
   */
  readonly variant: number
  /** Amount in base units. */
  readonly amount: bigint
  readonly status: DepositStatus
  readonly epoch: number
  readonly block_number: bigint | null
  readonly block_hash: string | null
  readonly block_time: Date | null
  readonly required_confirmations: number
  readonly target_height: bigint | null
  readonly signalled_at: Date | null
  /** Fee in base units of the network's own coin. */
  readonly fee: bigint | null
  /** Sources, with amounts in whole coins. */
  readonly sources: readonly AmountAtAddress[]
  readonly destinations: readonly AmountAtAddress[]
  readonly replaced_by: string | null
  readonly absent_since: Date | null
  readonly payment_id: string | null
  readonly decision: DepositDecision | null
  /** Withdrawal that paid a rejected deposit back. `null` unless one did. */
  readonly refunded_by: string | null
  readonly history: readonly DepositHistoryEntry[]
  readonly detected_at: Date
  readonly updated_at: Date
  readonly confirmed_at: Date | null
  readonly credited_at: Date | null
  readonly workflow_started_at: Date | null
  readonly address: string
  readonly address_label: string | null
  readonly key_account_id: string
  readonly asset_pool_id: string
}

/**
 * Returns `SELECT … FROM` of a `DepositRow`, to which the caller adds a WHERE. The tables are named deposit,
 * address and merchant.
 *
 * @param from - Source of the rows: the table, or a page of it.
 */
export const selectDeposits = (sql: Queryable, from = sql`deposits`) => sql`
  SELECT deposit.*, address.address, address.label AS address_label, address.key_account_id, merchant.asset_pool_id
  FROM ${from} deposit
  JOIN addresses address ON address.id = deposit.address_id
  JOIN merchants merchant ON merchant.id = deposit.merchant_id`
