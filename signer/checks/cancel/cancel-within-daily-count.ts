import { fillingKey } from '../../journal/account-name.js'
import { type Check, type PayloadContext, refuse } from '../check.js'

/** A platform has a few transactions of an account under way, so there are never many gaps. */
const MOST_FILLED = 100

/**
 * How many nonces that nothing was signed with may be filled within 24 hours: people do not approve
 * it, and it may cost next to nothing.
 */
export const cancelWithinDailyCount: Check<PayloadContext> = {
  name: 'cancel-within-daily-count',
  purpose: 'cancel',
  once: true,
  run({ record, network, state, now }) {
    if (record) return null
    const filled = state.journal.spent(fillingKey(network.caip2), now)
    if (filled < BigInt(MOST_FILLED)) return null
    return refuse('POLICY_LIMIT', `${filled} free nonces were filled in 24 hours; at most ${MOST_FILLED} are`)
  },
}
