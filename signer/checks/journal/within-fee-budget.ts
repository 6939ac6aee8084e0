import { budgetKeys } from '../../journal/account-name.js'
import { type Check, type PayloadContext, refuse } from '../check.js'

/** What movements may cost in fees within 24 hours, since nobody looks at each: without a budget, nothing. */
export const withinFeeBudget: Check<PayloadContext> = {
  name: 'within-fee-budget',
  purpose: 'pay',
  once: true,
  run(context) {
    if (!context.movement) return null
    const { network, state, record, now } = context
    const budget = network.movements?.dailyFee ?? 0n
    const cost = 'utxo' in context ? context.utxo.fee : context.maxFee
    // Of several payloads of one intent only one is ever mined: the dearest counts.
    const before = record?.fee ?? 0n
    const more = cost > before ? cost - before : 0n
    const spent = state.journal.spent(budgetKeys(network.caip2).fees, now)
    if (budget > 0n && spent + more <= budget) return null
    return refuse(
      'POLICY_LIMIT',
      `A fee of ${cost} after ${spent} in 24 hours exceeds the budget of movements, ${budget}`,
    )
  },
}
