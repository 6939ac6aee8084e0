import { type Check, type PayloadContext, refuse } from '../check.js'

/**
 * A payout that waits is signed again with a higher fee a few times. Each time adds two lines to the
 * journal, which must not grow without bound.
 */
const MOST_ATTEMPTS = 100

/** How many payloads may be signed for one intent, or one part of a batch, whether they pay or cancel. */
export const withinAttemptCount: Check<PayloadContext> = {
  name: 'within-attempt-count',
  once: true,
  run({ record }) {
    if (!record || record.payloads.size < MOST_ATTEMPTS) return null
    return refuse(
      'POLICY_LIMIT',
      `${record.payloads.size} payloads were signed for this intent; there are no more`,
    )
  },
}
