/** Defines a check: a small rule that accepts a request or refuses it. */

import type { RefusalCode } from '../../domain/signing/signer-protocol.js'
import type { IntentRecord } from '../journal/records.js'
import type { Movement } from '../movement.js'
import type { ParsedEvmPayload, ParsedRequest } from '../parse-request.js'
import type {
  Policy,
  PolicyAsset,
  PolicyEvmNetwork,
  PolicyNetwork,
  PolicyUtxoNetwork,
} from '../policy/policy.js'
import { shorten } from '../shorten.js'
import type { SignerState } from '../state.js'
import type { UtxoFacts } from '../utxo/utxo-facts.js'

/** Reason why nothing is signed. The message is for the operator and holds no secret. */
export interface Refusal {
  readonly code: RefusalCode
  readonly message: string
  /** Present when the signer is stopped. The request itself may be signed after the stop. */
  readonly passing?: true
}

/** Facts that every check gets. */
export interface RequestContext {
  readonly request: ParsedRequest
  /** Hash of the intent, computed by the signer. */
  readonly intentHash: string
  readonly state: SignerState
  readonly policy: Policy
  readonly now: number
  /** Approved outputs that this payload must pay: all of them, or the named items of a batch. */
  readonly outputs: ParsedRequest['intent']['outputs']
  /**
   * Journal's record of this intent, or of the batch's part that the items belong to. Absent before the first
   * decision.
   */
  readonly record: IntentRecord | undefined
  /** Policy's network for the intent's CAIP-2 id. Absent when the policy has none. */
  readonly network: PolicyNetwork | undefined
  /** Policy's asset for the intent's asset. Absent when the policy has none. */
  readonly asset: PolicyAsset | undefined
  /** Facts about a movement. `null` for payouts that people approve. */
  readonly movement: Movement | null
}

/** Facts that checks of a UTXO payload get. */
export interface UtxoContext extends RequestContext {
  readonly network: PolicyUtxoNetwork
  readonly asset: PolicyAsset
  readonly utxo: UtxoFacts
}

/** Facts that checks of an EVM payload get. */
export interface EvmContext extends RequestContext {
  readonly network: PolicyEvmNetwork
  readonly asset: PolicyAsset
  readonly payload: ParsedEvmPayload
  /** Parsed derivation path. `null` when the text is not one. */
  readonly path: readonly number[] | null
  /** Highest fee in wei: gas × max_fee_per_gas. */
  readonly maxFee: bigint
}

/** Facts that checks of the journal get. */
export type PayloadContext = UtxoContext | EvmContext

/** A check with its name, which docs and tests use. */
export interface Check<Context> {
  readonly name: string
  readonly run: (context: Context) => Refusal | null
  /**
   * Present when the check runs only for a new decision. A payload that the journal already holds can only
   * get the same bytes, at every time.
   */
  readonly once?: true
  /** Run this check only for requests with this purpose. Default: both. */
  readonly purpose?: 'pay' | 'cancel'
}

/** Most bytes of a message, parts of which come from the request. */
const MAX_MESSAGE_BYTES = 1_000

/** Makes a refusal. */
export function refuse(code: RefusalCode, message: string): Refusal {
  return { code, message: shorten(message, MAX_MESSAGE_BYTES) }
}

/** Makes a refusal of a signer that is stopped as a whole. */
export function refuseForNow(code: RefusalCode, message: string): Refusal {
  return { code, message, passing: true }
}
