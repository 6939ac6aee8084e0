import { cancelKey } from '../../journal/account-name.js'
import { type Check, type PayloadContext, refuse } from '../check.js'
import { cost } from '../cost.js'

/**
 * Nobody approves what cancels, so a hostile platform could burn fees with it: only so much in any 24 hours. A dearer one for the
 * same intent takes the place of the one before, so what it costs more counts.
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
