import { intentAmount } from '../../intent-amount.js'
import { budgetKeys } from '../../journal/account-name.js'
import { type Check, type PayloadContext, refuse } from '../check.js'

/**
 * The gas wallet may give away so much within 24 hours, counted from the journal: a platform that drains it
 * stops here.
 */
export const withinGasFundingBudget: Check<PayloadContext> = {
  name: 'within-gas-funding-budget',
  purpose: 'pay',
  once: true,
  run(context) {
    if (context.movement?.kind !== 'gas_funding' || context.record?.paid) return null
    const { network, state, request, now } = context
    const budget = network.movements?.gasDaily ?? 0n
    const spent = state.journal.spent(budgetKeys(network.caip2).gas, now)
    const amount = intentAmount(request.intent)
    if (spent + amount <= budget) return null
    return refuse(
      'POLICY_LIMIT',
      `Gas of ${amount} after ${spent} in 24 hours exceeds the budget of gas funding, ${budget}`,
    )
  },
}
