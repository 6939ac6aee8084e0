/** What approvers sign: the intent, its canonical form and its hash (contract section 3, "Approvals"). */

import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'
import { canonicalJson } from '../canonical-json.js'
import type { PolicyEdit } from './policy-change.js'

/** One payment of an intent: an address of the network and an amount in base units. */
export interface IntentOutput {
  readonly address: string
  /** Base units, decimal digits only. */
  readonly amount: string
}

/** The asset of an intent; `contract` is null for the network's own coin. */
export interface IntentAsset {
  readonly coin: string
  /** EIP-55 address of an ERC-20 token, or null. */
  readonly contract: string | null
  readonly decimals: number
}

/** What an intent pays for; `allowed_kinds` of the signer's policy names those that it signs. */
export const INTENT_KINDS = ['withdrawal', 'batch', 'consolidation', 'gas_funding', 'rebalance'] as const
export type IntentKind = (typeof INTENT_KINDS)[number]

/** Everything that matters about a payment; approvers sign its hash and the customer's signer checks each payload against it. */
export interface Intent {
  readonly version: 1
  readonly kind: IntentKind
  /** Merchant id. */
  readonly merchant: string
  /** Id of the withdrawal or batch; unique, so it is the replay key of the signer's journal. */
  readonly withdrawal: string
  /**
   * Id of the signer that shall pay: its seed, and its journal, which no other signer has. Absent in intents that were made before
   * they named it; nothing new is signed for those.
   */
  readonly signer?: string | undefined
  readonly external_id: string | null
  /** CAIP-2 chain id. */
  readonly network: string
  readonly asset: IntentAsset
  /** Every payment, in the order of the request; the same address twice stays two outputs. */
  readonly outputs: readonly IntentOutput[]
  readonly fee_payer: 'sender' | 'recipient'
  /** The most that the network fee may be, in base units of the network's own coin. */
  readonly fee_limit: { readonly coin: string; readonly amount: string }
  /** Person (or, without one, API key) that asked for it; never counts as an approver. */
  readonly initiator: string
  /** Others who shaped what it pays; they never count as approvers either. Absent where there are none. */
  readonly co_initiators?: readonly string[] | undefined
  /** ISO 8601 UTC. */
  readonly created_at: string
  /** ISO 8601 UTC; nothing is signed afterwards. */
  readonly expires_at: string
}

interface ControlIntent {
  readonly version: 1
  /** Merchant id. */
  readonly merchant: string
  /** What waits so long after its approval before it holds. */
  readonly cool_down_seconds: number
  /** Person (or, without one, API key) that asked for it; never counts as an approver. */
  readonly initiator: string
  /** ISO 8601 UTC. */
  readonly created_at: string
  /** ISO 8601 UTC; no approval counts afterwards. */
  readonly expires_at: string
}

/** A change of the merchant's policy: every field that changes, with its value before and after. */
export interface PolicyIntent extends ControlIntent {
  readonly kind: 'policy'
  /** Id of the change. */
  readonly change: string
  /** Version of the policy that \`changes\` starts from. */
  readonly base_version: number
  readonly changes: readonly PolicyEdit[]
}

/** An address to which withdrawals may go without manual review. */
export interface WhitelistIntent extends ControlIntent {
  readonly kind: 'whitelist'
  /** Id of the entry. */
  readonly entry: string
  /** CAIP-2 chain id. */
  readonly network: string
  /** In the network's canonical form. */
  readonly address: string
  readonly label: string
  /** Whole coins of whichever coin is sent there, or null. */
  readonly daily_limit: string | null
  readonly monthly_limit: string | null
}

/** A deposit that was set aside and shall be credited. */
export interface DepositReleaseIntent extends ControlIntent {
  readonly kind: 'deposit_release'
  /** Id of the request. */
  readonly release: string
  /** Id of the deposit, and the mining of it that is meant. */
  readonly deposit: string
  readonly epoch: number
  /** CAIP-2 chain id. */
  readonly network: string
  readonly asset: IntentAsset
  /** Base units. */
  readonly amount: string
  /** That was paid. */
  readonly address: string
  readonly user_reference: string | null
  readonly transaction_hash: string
  /** Addresses that paid, where known. */
  readonly sources: readonly string[]
  readonly reason: string
}

/** Everything that two people can be asked to sign. */
export type AnyIntent = Intent | PolicyIntent | WhitelistIntent | DepositReleaseIntent

/** Lower-case hex SHA-256 of `"keyturn-intent-v1\n"` and the canonical JSON of the intent. */
export function intentHash(intent: AnyIntent): string {
  return bytesToHex(sha256(utf8ToBytes(`keyturn-intent-v1\n${canonicalJson(intent)}`)))
}
