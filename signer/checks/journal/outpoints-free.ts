import { type PayloadContext, type Refusal, refuse } from '../check.js'
import { conflictSet } from '../conflict-set.js'

/** An outpoint that another intent was first signed with is not given away. */
export function outpointsFree(context: PayloadContext): Refusal | null {
  const set = conflictSet(context)
  if (set.kind !== 'utxo') return null
  for (const outpoint of set.inputs) {
    const owner = context.state.journal.outpointOwner(set.network, outpoint)
    if (owner !== undefined && owner !== context.subject) {
      return refuse('CONFLICT_SET', `${outpoint} was signed for ${owner}`)
    }
  }
  return null
}
