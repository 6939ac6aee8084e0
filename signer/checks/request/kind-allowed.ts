import { type Refusal, type RequestContext, refuse } from '../check.js'

/** Only kinds of intents that the policy lists. */
export function kindAllowed(context: RequestContext): Refusal | null {
  const { kind } = context.request.intent
  if (context.policy.allowedKinds.includes(kind)) return null
  return refuse('KIND_NOT_ALLOWED', `The policy does not allow ${kind} intents`)
}
