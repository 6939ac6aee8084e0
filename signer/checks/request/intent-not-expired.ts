import { type Check, type RequestContext, refuse } from '../check.js'

/**
 * Nothing is signed after the time until which people approved it. A payout that was signed in time may get
 * a higher fee later: it may be mined at any time anyway, and the new payload excludes the old one.
 */
export const intentNotExpired: Check<RequestContext> = {
  name: 'intent-not-expired',
  purpose: 'pay',
  once: true,
  run(context) {
    if (context.record?.paid) return null
    if (context.now < Date.parse(context.request.intent.expires_at)) return null
    return refuse('INTENT_EXPIRED', `The intent expired at ${context.request.intent.expires_at}`)
  },
}
