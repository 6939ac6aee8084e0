/** Defines the intent that approvers sign, and its hash. */

import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'
import type { ProofBlock, TrialBalanceLine } from '../books/period-books.js'
import { canonicalJson } from '../canonical-json.js'
import type { PolicyEdit } from './policy-change.js'

/** One recipient of an intent: an address of the network and an amount in base units. */
export interface IntentOutput {
  readonly address: string
  /** Amount in base units, decimal digits only. */
  readonly amount: string
}

/** The asset of an intent. */
export interface IntentAsset {
  readonly coin: string
  /** EIP-55 address of an ERC-20 token. `null` for the network's own coin. */
  readonly contract: string | null
  readonly decimals: number
}

/** Kinds of intents. `allowed_kinds` of the signer's policy names those that it signs. */
export const INTENT_KINDS = ['withdrawal', 'batch', 'consolidation', 'gas_funding', 'rebalance'] as const
export type IntentKind = (typeof INTENT_KINDS)[number]

/** Everything that matters about a payout. Approvers sign its hash, and the customer's signer checks each payload against it. */
export interface Intent {
  readonly version: 1
  readonly kind: IntentKind
  /** Id of the merchant. */
  readonly merchant: string
  /** Id of the payout or batch. It is unique, so it is the replay key of the signer's journal. */
  readonly withdrawal: string
  /**
   * Id of the signer that is to pay, because no other signer has its journal. Absent in intents of older versions;
   * nothing new is signed for those.
   */
  readonly signer?: string | undefined
  readonly external_id: string | null
  /** Chain id in the form of CAIP-2. */
  readonly network: string
  readonly asset: IntentAsset
  /** Recipients in the order of the request. The same address twice stays two outputs. */
  readonly outputs: readonly IntentOutput[]
  readonly fee_payer: 'sender' | 'recipient'
  /** Highest network fee that people approve, in base units of the network's own coin. */
  readonly fee_limit: { readonly coin: string; readonly amount: string }
  /** Person (or, without one, API key) that asked for it. It never counts as an approver. */
  readonly initiator: string
  /** Other persons who shaped what it pays. They never count as approvers either. Absent where there are none. */
  readonly co_initiators?: readonly string[] | undefined
  /** Time of the request in ISO 8601 UTC. */
  readonly created_at: string
  /** End of its time in ISO 8601 UTC. Nothing is signed afterwards. */
  readonly expires_at: string
}

interface ControlIntent {
  readonly version: 1
  /** Id of the merchant. */
  readonly merchant: string
  /** Delay between approval and effect, in seconds. */
  readonly cool_down_seconds: number
  /** Person (or, without one, API key) that asked for it. It never counts as an approver. */
  readonly initiator: string
  /** Time of the request in ISO 8601 UTC. */
  readonly created_at: string
  /** End of its time in ISO 8601 UTC. No approval counts afterwards. */
  readonly expires_at: string
}

/** A change of the merchant's policy: every field that changes, with its value before and after. */
export interface PolicyIntent extends ControlIntent {
  readonly kind: 'policy'
  /** Id of the change. */
  readonly change: string
  /** Version of the policy that `changes` starts from. */
  readonly base_version: number
  readonly changes: readonly PolicyEdit[]
}

/** An address to which withdrawals may go without manual review. */
export interface WhitelistIntent extends ControlIntent {
  readonly kind: 'whitelist'
  /** Id of the entry. */
  readonly entry: string
  /** Chain id in the form of CAIP-2. */
  readonly network: string
  /** Address in the network's canonical form. */
  readonly address: string
  readonly label: string
  /** Daily limit in whole coins of each coin that is sent there. `null` without a limit. */
  readonly daily_limit: string | null
  readonly monthly_limit: string | null
}

/** The release of a held deposit. */
export interface DepositReleaseIntent extends ControlIntent {
  readonly kind: 'deposit_release'
  /** Id of the request. */
  readonly release: string
  /** Id of the deposit, and the epoch that is meant. */
  readonly deposit: string
  readonly epoch: number
  /** Chain id in the form of CAIP-2. */
  readonly network: string
  readonly asset: IntentAsset
  /** Amount in base units. */
  readonly amount: string
  /** Address that was paid. */
  readonly address: string
  readonly user_reference: string | null
  readonly transaction_hash: string
  /** Addresses that paid, as far as they are known. */
  readonly sources: readonly string[]
  readonly reason: string
}

/** The close of a period, with all that it fixes. */
export interface PeriodCloseIntent extends ControlIntent {
  readonly kind: 'period_close'
  /** Id of the request. */
  readonly close: string
  readonly period: string
  /** Window in ISO 8601 UTC. `to` is not included. */
  readonly from: string
  readonly to: string
  readonly trial_balance: readonly TrialBalanceLine[]
  readonly proof: readonly ProofBlock[]
  /** Hash of {period, trial_balance, proof}. */
  readonly hash: string
}

/** The re-opening of a closed period. */
export interface PeriodReopenIntent extends ControlIntent {
  readonly kind: 'period_reopen'
  /** Id of the request. */
  readonly reopening: string
  readonly period: string
  /** Hash of the close that it takes back. */
  readonly hash: string
  readonly reason: string
}

/** The end of a pause of settlement that a merchant placed. */
export interface SettlementResumeIntent extends ControlIntent {
  readonly kind: 'settlement_resume'
  /** Id of the request. */
  readonly resumption: string
  /** Id of the pause, its reason and its time in ISO 8601 UTC. */
  readonly pause: string
  readonly pause_reason: string
  readonly since: string
  readonly reason: string
}

/** Resolutions of an exception that post a journal. */
export const JOURNAL_RESOLUTIONS = ['credit', 're_attribute', 'write_off'] as const
export type JournalResolution = (typeof JOURNAL_RESOLUTIONS)[number]

/** The resolution of an exception by a journal. */
export interface ExceptionResolutionIntent extends ControlIntent {
  readonly kind: 'exception_resolution'
  /** Id of the request. */
  readonly request: string
  /** Id of the exception. */
  readonly exception: string
  /** What the exception says, as it stood when this was requested. */
  readonly exception_kind: string
  readonly exception_reason: string
  readonly resolution: JournalResolution
  /** Chain id in the form of CAIP-2. */
  readonly network: string
  readonly asset: IntentAsset
  /** Amount in base units. */
  readonly amount: string
  /**
   * User who pays. `null`: the merchant's own account, which also bears what is written off. Always `null` where the
   * coins of an address are credited.
   */
  readonly from_user_reference: string | null
  /** User who receives. `null`: the merchant's own account or, of a write-off, no one. */
  readonly to_user_reference: string | null
  /**
   * Address whose coins are written off, or whose balance rose by what is credited. `null`: the journal moves between
   * parties.
   */
  readonly address_id: string | null
  readonly address: string | null
  readonly comment: string
}

/** Everything that two people can sign. */
export type AnyIntent =
  | Intent
  | PolicyIntent
  | WhitelistIntent
  | DepositReleaseIntent
  | ExceptionResolutionIntent
  | PeriodCloseIntent
  | PeriodReopenIntent
  | SettlementResumeIntent

/** Returns the text whose hash approvers sign: `"keyturn-intent-v1\n"` and the canonical JSON of the intent. */
export function intentText(intent: AnyIntent): string {
  return `keyturn-intent-v1\n${canonicalJson(intent)}`
}

/** Returns the lower-case hex SHA-256 of an intent's text. It runs in browsers too. */
export function intentHash(intent: AnyIntent): string {
  return bytesToHex(sha256(utf8ToBytes(intentText(intent))))
}
