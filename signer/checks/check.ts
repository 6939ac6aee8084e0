/** What a check is: a small question to a request, answered with nothing or a refusal. */

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

/** Why nothing is signed; the message is for the operator and holds no secret. */
export interface Refusal {
  readonly code: RefusalCode
  readonly message: string
  /** It says nothing of the request: the signer is stopped, and the request may be signed once that is over. */
  readonly passing?: true
}

/** What every check sees. */
export interface RequestContext {
  readonly request: ParsedRequest
  /** Recomputed from the intent. */
  readonly intentHash: string
  readonly state: SignerState
  readonly policy: Policy
  readonly now: number
  /** The approved outputs that this payload is to pay: all of them, or the named items of a batch. */
  readonly outputs: ParsedRequest['intent']['outputs']
  /** What the journal holds of this very intent; of a batch, of the part that the items belong to. */
  readonly record: IntentRecord | undefined
  /** The policy's network for the intent's CAIP-2 id. */
  readonly network: PolicyNetwork | undefined
  /** The policy's asset for the intent's. */
  readonly asset: PolicyAsset | undefined
  /** Null for payments. */
  readonly movement: Movement | null
}

/** What checks of a UTXO payload see. */
export interface UtxoContext extends RequestContext {
  readonly network: PolicyUtxoNetwork
  readonly asset: PolicyAsset
  readonly utxo: UtxoFacts
}

/** What checks of an EVM payload see. */
export interface EvmContext extends RequestContext {
  readonly network: PolicyEvmNetwork
  readonly asset: PolicyAsset
  readonly payload: ParsedEvmPayload
  /** The derivation path, parsed; null when it is not one. */
  readonly path: readonly number[] | null
  /** gas × max_fee_per_gas in wei. */
  readonly maxFee: bigint
}

/** What checks that ask the journal see. */
export type PayloadContext = UtxoContext | EvmContext

/** A check with its name, by which docs and tests speak of it. */
export interface Check<Context> {
  readonly name: string
  readonly run: (context: Context) => Refusal | null
  /**
   * Asked when the decision is taken, not when the same payload comes again after the decision is in the journal: there
   * the answer can only be the same bytes, at every time.
   */
  readonly once?: true
  /** Asked of such requests alone; without it of both. */
  readonly purpose?: 'pay' | 'cancel'
}

/** The most bytes of a message: parts of it come from the request. */
const MAX_MESSAGE_BYTES = 1_000

/** Makes a refusal. */
export function refuse(code: RefusalCode, message: string): Refusal {
  return { code, message: shorten(message, MAX_MESSAGE_BYTES) }
}

/** Makes a refusal of a signer that is stopped as a whole. */
export function refuseForNow(code: RefusalCode, message: string): Refusal {
  return { code, message, passing: true }
}
