import { type Check, type RequestContext, refuse } from '../check.js'

/** Only networks that the policy lists, by CAIP-2 id. */
export const networkAllowed: Check<RequestContext> = {
  name: 'network-allowed',
  run(context) {
    if (context.network) return null
    return refuse('NETWORK_NOT_ALLOWED', `The policy does not list ${context.request.intent.network}`)
  },
}
