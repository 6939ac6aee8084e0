import { intentAmount } from '../../intent-amount.js'
import { assetKey } from '../../journal/account-name.js'
import { type Check, type PayloadContext, refuse } from '../check.js'

/**
 * The payouts that the journal holds of the last 24 hours and this one may together reach the policy's
 * limit at most.
 */
export const withinDailyLimit: Check<PayloadContext> = {
  name: 'within-daily-limit',
  purpose: 'pay',
  once: true,
  run(context) {
    const { daily, coin } = context.asset
    if (daily === null || context.record?.paid || context.movement) return null
    const spent = context.state.journal.spent(assetKey(context.network, context.asset), context.now)
    const amount = intentAmount(context)
    if (spent + amount <= daily) return null
    return refuse(
      'POLICY_LIMIT',
      `${amount} after ${spent} in 24 hours exceeds the daily limit in ${coin}, ${daily}`,
    )
  },
}
