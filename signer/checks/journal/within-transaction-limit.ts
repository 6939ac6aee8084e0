import { intentAmount } from '../../intent-amount.js'
import { type Check, type PayloadContext, refuse } from '../check.js'

/** One payout may be the policy's limit at most. */
export const withinTransactionLimit: Check<PayloadContext> = {
  name: 'within-transaction-limit',
  purpose: 'pay',
  once: true,
  run(context) {
    const { perTransaction, coin } = context.asset
    const amount = intentAmount(context)
    if (perTransaction === null || amount <= perTransaction || context.movement) return null
    return refuse('POLICY_LIMIT', `${amount} exceeds the limit of one payout in ${coin}, ${perTransaction}`)
  },
}
