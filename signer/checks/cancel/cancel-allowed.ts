import { type Refusal, type RequestContext, refuse } from '../check.js'

/** A network without limits for it has no cancelling. */
export function cancelAllowed(context: RequestContext): Refusal | null {
  if (context.network && context.network.cancel !== null) return null
  return refuse('KIND_NOT_ALLOWED', `The policy allows no cancelling on ${context.request.intent.network}`)
}
