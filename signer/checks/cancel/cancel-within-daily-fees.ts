import { cancelKey } from '../../journal/account-name.js'
import { type Check, type PayloadContext, refuse } from '../check.js'
import { cost } from '../cost.js'

/**
 * People do not approve cancelling transactions, so a hostile platform could burn fees with them. The
 * policy therefore limits their fees within any 24 hours. A second one with a higher fee for the same
 * intent replaces the first, so only the difference counts.
 */
export const cancelWithinDailyFees: Check<PayloadContext> = {
  name: 'cancel-within-daily-fees',
  purpose: 'cancel',
  once: true,
  run(context) {
    const budget = context.network.cancel?.dailyFees
    if (budget === undefined) return null
    const before = context.record?.cancelFee ?? 0n
    const more = cost(context) - before
    const spent = context.state.journal.spent(cancelKey(context.network.caip2), context.now)
    if (more <= 0n || spent + more <= budget) return null
    return refuse(
      'POLICY_LIMIT',
      `Cancelling may cost ${more} after ${spent} in 24 hours, the policy allows ${budget}`,
    )
  },
}
