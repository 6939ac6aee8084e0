import { type Refusal, type RequestContext, refuse } from '../check.js'

/** An intent from the future means that a clock is wrong or somebody plays with it. */
export function intentAlreadyCreated(context: RequestContext): Refusal | null {
  if (Date.parse(context.request.intent.created_at) <= context.now + context.policy.clockSkewMs) return null
  return refuse(
    'INTENT_NOT_YET_VALID',
    `The intent was created at ${context.request.intent.created_at}, which is yet to come`,
  )
}
