import { intentAmount } from '../../intent-amount.js'
import { type PayloadContext, type Refusal, refuse } from '../check.js'

/** One payment may be the policy's limit at most. */
export function withinTransactionLimit(context: PayloadContext): Refusal | null {
  const { perTransaction, coin } = context.asset
  const amount = intentAmount(context)
  if (perTransaction === null || amount <= perTransaction || context.movement) return null
  return refuse('POLICY_LIMIT', `${amount} exceeds the limit of one payment in ${coin}, ${perTransaction}`)
}
