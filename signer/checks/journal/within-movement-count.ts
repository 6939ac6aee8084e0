import { countKey } from '../../journal/account-name.js'
import { type Check, type PayloadContext, refuse } from '../check.js'

/**
 * The policy limits how many movements of a kind may begin within 24 hours. People do not approve them, and
 * movements of coins that do not exist cost no fee that a budget would count.
 */
export const withinMovementCount: Check<PayloadContext> = {
  name: 'within-movement-count',
  purpose: 'pay',
  once: true,
  run(context) {
    const { movement, record, network, state, now } = context
    // A network without budgets signs no movement at all, which has a check of its own.
    if (!movement || !network.movements || record?.paid) return null
    const most = network.movements.dailyCount[movement.kind]
    const begun = state.journal.spent(countKey(network.caip2, movement.kind), now)
    if (begun < BigInt(most)) return null
    return refuse(
      'POLICY_LIMIT',
      `${begun} movements of kind ${movement.kind} in 24 hours; the policy allows ${most}`,
    )
  },
}
