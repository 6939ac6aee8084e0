/** Declares what a period holds when it is closed, and computes its hash. */

import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'
import { canonicalJson } from '../canonical-json.js'

export const PERIOD_STATUSES = ['open', 'closing', 'closed'] as const

/** `closing` waits for two approvals. */
export type PeriodStatus = (typeof PERIOD_STATUSES)[number]

export const ACCOUNT_CLASSES = ['asset', 'liability', 'equity', 'expense'] as const

/**
 * Class of an account. What lies on addresses is an asset; what users own is a liability; what the merchant
 * itself owns is equity.
 */
export type AccountClass = (typeof ACCOUNT_CLASSES)[number]

/** Sum of the accounts of one kind, in whole coins. A debit is positive, a credit negative, so that all sum to zero. */
export interface TrialBalanceLine {
  readonly class: AccountClass
  readonly account: string
  readonly network: string
  readonly coin: string
  readonly balance: string
}

/** Block of a network with which the books agree. */
export interface ProofBlock {
  readonly network: string
  readonly block_number: number
  readonly block_hash: string
}

/** What must be true before a period is closed. `found` counts what speaks against it; `examples` names a few. */
export interface ChecklistItem {
  readonly name: string
  readonly ok: boolean
  readonly found: number
  readonly examples: readonly string[]
}

export interface PeriodBooks {
  readonly period: string
  readonly trial_balance: readonly TrialBalanceLine[]
  readonly proof: readonly ProofBlock[]
}

/** Returns the lower-case hex SHA-256 of the RFC 8785 form of {period, trial_balance, proof}. */
export function periodHash({ period, trial_balance, proof }: PeriodBooks): string {
  return bytesToHex(sha256(utf8ToBytes(canonicalJson({ period, trial_balance, proof }))))
}
