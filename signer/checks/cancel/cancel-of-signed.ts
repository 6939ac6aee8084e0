import { type PayloadContext, type Refusal, refuse } from '../check.js'
import { conflictSet } from '../conflict-set.js'

/**
 * Only what was signed can be in the way: a payment that the journal holds, or on an EVM network a nonce that nothing was signed
 * with, below one that something was. Everything else would only burn fees.
 */
export function cancelOfSigned(context: PayloadContext): Refusal | null {
  if (context.record) return null
  const set = conflictSet(context)
  if (set.kind === 'evm') {
    const highest = context.state.journal.records.highestNonce(set.chain_id, set.from)
    if (highest !== null && set.nonce < highest) return null
  }
  return refuse('CONFLICT_SET', 'Nothing was signed that this could cancel')
}
