/** Runs the checks on a request. It decides nothing by itself and changes nothing. */

import { createHash } from 'node:crypto'
import { canonicalJson } from '../domain/canonical-json.js'
import { intentText } from '../domain/controls/intent.js'
import type { CheckList } from './checks/all-checks.js'
import { byFamily } from './checks/by-family.js'
import type { UtxoContext } from './checks/check.js'
import {
  type Check,
  type EvmContext,
  type PayloadContext,
  type Refusal,
  type RequestContext,
  refuse,
  refuseForNow,
} from './checks/check.js'
import { parsePath } from './keys/path.js'
import { movementOf } from './movement.js'
import type { ParsedRequest, RequestReading } from './parse-request.js'
import type { SignerState } from './state.js'
import { utxoFacts } from './utxo/utxo-facts.js'

const PAYS_NOBODY = { outputs: [], fee_payer: 'sender' } as const

/** Result of the checks. */
export type Examination =
  | {
      readonly outcome: 'refused'
      readonly requestId: string
      readonly refusal: Refusal
      /** Whether this payload was decided before, so that it may have been signed. */
      readonly replay: boolean
    }
  | {
      readonly outcome: 'accepted'
      readonly requestId: string
      readonly context: PayloadContext
      readonly payloadHash: string
      /** Whether this payload is in the journal already. */
      readonly replay: boolean
    }

/**
 * Runs every check of the list until one refuses. An error in a check is a refusal.
 *
 * @param checks - `ALL_CHECKS`. Tests leave one out to prove that it is needed.
 */
export function examine(checks: CheckList, reading: RequestReading, state: SignerState): Examination {
  const { requestId } = reading
  let replay = false
  const refused = (refusal: Refusal): Examination => ({ outcome: 'refused', requestId, refusal, replay })
  if ('reason' in reading) return refused(refuse('MALFORMED', reading.reason))
  const { request } = reading
  if (!state.policy)
    return refused(refuseForNow('PAUSED', 'policy.json cannot be read; nothing is signed until it can'))
  try {
    const payloadHash = hashPayload(request)
    const context = requestContext(request, state, state.policy)
    replay = context.record?.payloads.has(payloadHash) === true
    const onRequest = walk(checks.request, context, replay)
    if (onRequest) return refused(onRequest)
    const full = payloadContext(context)
    const onPayload =
      byFamily(full, {
        utxo: (utxo) => walk(checks.utxo, utxo, replay),
        evm: (evm) => walk(checks.evm, evm, replay),
      }) ?? walk(checks.journal, full, replay)
    if (onPayload) return refused(onPayload)
    return { outcome: 'accepted', requestId, context: full, payloadHash, replay }
  } catch (error) {
    return refused(refuse('MALFORMED', error instanceof Error ? error.message : 'The request cannot be read'))
  }
}

function walk<Context extends RequestContext>(
  checks: readonly Check<Context>[],
  context: Context,
  replay: boolean,
): Refusal | null {
  const { purpose } = context.request
  for (const check of checks) {
    if (replay && check.once) continue
    if (check.purpose !== undefined && check.purpose !== purpose) continue
    const refusal = check.run(context)
    if (refusal) return refusal
  }
  return null
}

function requestContext(
  request: ParsedRequest,
  state: SignerState,
  policy: NonNullable<SignerState['policy']>,
): RequestContext {
  const { intent, items } = request
  const network = policy.networks.get(intent.network)
  const hash = createHash('sha256').update(intentText(intent)).digest('hex')
  return {
    request,
    // An index outside of the outputs is refused by a check of its own.
    outputs: items?.flatMap((item) => intent.outputs[item] ?? []) ?? intent.outputs,
    intentHash: hash,
    state,
    policy,
    // A clock that was set back makes nothing valid again.
    now: Math.max(state.now(), state.journal.lastAt),
    record: state.journal.records.find(hash, items),
    network,
    asset: network?.assets.get(intent.asset.coin),
    movement: movementOf(request, network),
  }
}

function payloadContext(context: RequestContext): PayloadContext {
  const { request, network, asset } = context
  const { payload } = request
  if (!network || !asset) throw new Error('The policy has no such network or asset')
  if (payload.family === 'utxo' && network.family === 'utxo') {
    // A cancellation has no recipient, so every output must be own change.
    const { outputs } = context
    const wanted =
      request.purpose === 'cancel' ? PAYS_NOBODY : { outputs, fee_payer: request.intent.fee_payer }
    const utxo = utxoFacts(payload.psbt, wanted, network, context.state.keyring)
    return { ...context, network, asset, utxo } satisfies UtxoContext
  }
  if (payload.family === 'evm' && network.family === 'evm') {
    const path = parsePath(payload.derivation_path)
    const maxFee = BigInt(payload.gas) * BigInt(payload.max_fee_per_gas)
    return { ...context, network, asset, payload, path, maxFee } satisfies EvmContext
  }
  throw new Error('The payload is of another family than the network')
}

/**
 * Returns the lower-case hex SHA-256 of `"keyturn-payload-v1\n"` (`"keyturn-cancel-v1\n"` for a cancellation)
 * and the canonical JSON of the payload, with the items of a batch.
 */
function hashPayload(request: ParsedRequest): string {
  const prefix = request.purpose === 'cancel' ? 'keyturn-cancel-v1' : 'keyturn-payload-v1'
  const { items, payload } = request
  return createHash('sha256')
    .update(`${prefix}\n${canonicalJson(items === null ? payload : { items, payload })}`)
    .digest('hex')
}
