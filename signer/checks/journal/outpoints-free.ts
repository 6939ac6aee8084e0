import { type PayloadContext, type Refusal, refuse } from '../check.js'
import { conflictSet } from '../conflict-set.js'

/**
 * An outpoint that another subject was first signed with goes only to a payment of another intent that people approved. Such a
 * payment can exclude the first one and can never pay it twice, because every payload of an intent spends the first one's
 * outpoints. A payment that can no longer be mined, because another of its inputs was spent, so leaves its coins to others.
 * What nobody approves must not exclude a signed payment outside the limits of cancellations, and the parts of one batch are
 * told apart by their coins alone.
 */
export function outpointsFree(context: PayloadContext): Refusal | null {
  const set = conflictSet(context)
  if (set.kind !== 'utxo') return null
  const { journal } = context.state
  const approved = context.movement === null && context.request.purpose === 'pay'
  for (const outpoint of set.inputs) {
    const owner = journal.outpointOwner(set.network, outpoint)
    if (owner === undefined || owner === context.subject) continue
    if (approved && journal.intent(owner)?.intentHash !== context.intentHash) continue
    return refuse('CONFLICT_SET', `${outpoint} was signed for ${owner}`)
  }
  return null
}
