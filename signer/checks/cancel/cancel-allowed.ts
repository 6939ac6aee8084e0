import { type Check, type RequestContext, refuse } from '../check.js'

/** A network whose policy has no limits for cancelling allows none. */
export const cancelAllowed: Check<RequestContext> = {
  name: 'cancel-allowed',
  purpose: 'cancel',
  run(context) {
    if (context.network && context.network.cancel !== null) return null
    return refuse('KIND_NOT_ALLOWED', `The policy allows no cancelling on ${context.request.intent.network}`)
  },
}
