import { type PayloadContext, type Refusal, refuse } from '../check.js'

/** A payment that waits is signed again with a higher fee some times; each time is two lines of the journal, which must not grow without end. */
const MOST_ATTEMPTS = 100

/** How many payloads may be signed for one intent, or one part of a batch, whether they pay or cancel. */
export function withinAttemptCount({ record }: PayloadContext): Refusal | null {
  if (!record || record.payloads.size < MOST_ATTEMPTS) return null
  return refuse(
    'POLICY_LIMIT',
    `${record.payloads.size} payloads were signed for this intent; there are no more`,
  )
}
