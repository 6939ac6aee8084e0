import { budgetKeys } from '../../journal/account-name.js'
import { type Check, type PayloadContext, refuse } from '../check.js'
import { cost } from '../cost.js'

/**
 * People do not approve each movement, so the policy has a budget for their fees within 24 hours. Without a
 * budget no movement is signed.
 */
export const withinFeeBudget: Check<PayloadContext> = {
  name: 'within-fee-budget',
  purpose: 'pay',
  once: true,
  run(context) {
    if (!context.movement) return null
    const { network, state, record, now } = context
    const budget = network.movements?.dailyFee ?? 0n
    const fee = cost(context)
    // Of several payloads of one intent only one is ever mined: the highest fee counts.
    const before = record?.fee ?? 0n
    const more = fee > before ? fee - before : 0n
    const spent = state.journal.spent(budgetKeys(network.caip2).fees, now)
    if (budget > 0n && spent + more <= budget) return null
    return refuse(
      'POLICY_LIMIT',
      `A fee of ${fee} after ${spent} in 24 hours exceeds the budget of movements, ${budget}`,
    )
  },
}
