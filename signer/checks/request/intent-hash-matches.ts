import { type Check, type RequestContext, refuse } from '../check.js'

/** The hash that people approved must be that of this intent, computed here. */
export const intentHashMatches: Check<RequestContext> = {
  name: 'intent-hash-matches',
  run(context) {
    if (context.request.intent_hash === context.intentHash) return null
    return refuse(
      'INTENT_HASH_MISMATCH',
      `The intent's hash is ${context.intentHash}, not the one that was sent`,
    )
  },
}
