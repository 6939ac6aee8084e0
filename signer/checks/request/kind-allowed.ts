import { type Check, type RequestContext, refuse } from '../check.js'

/** Only kinds of intents that the policy lists. */
export const kindAllowed: Check<RequestContext> = {
  name: 'kind-allowed',
  purpose: 'pay',
  run(context) {
    const { kind } = context.request.intent
    if (context.policy.allowedKinds.includes(kind)) return null
    return refuse('KIND_NOT_ALLOWED', `The policy does not allow ${kind} intents`)
  },
}
