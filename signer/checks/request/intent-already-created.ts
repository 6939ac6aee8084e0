import { type Check, type RequestContext, refuse, refuseForNow } from '../check.js'

/**
 * An intent from the future means that a clock is wrong or was set. An intent that is only as far ahead as
 * clocks may differ waits for its time. So no signed intent is younger than a later fence, and one that the
 * journal lost is never taken as new.
 */
export const intentAlreadyCreated: Check<RequestContext> = {
  name: 'intent-already-created',
  purpose: 'pay',
  once: true,
  run(context) {
    const { created_at: created } = context.request.intent
    if (Date.parse(created) <= context.now) return null
    const message = `The intent was created at ${created}, which is yet to come`
    return Date.parse(created) <= context.now + context.policy.clockSkewMs
      ? refuseForNow('INTENT_NOT_YET_VALID', message)
      : refuse('INTENT_NOT_YET_VALID', message)
  },
}
