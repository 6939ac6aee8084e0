import { type Check, type RequestContext, refuse } from '../check.js'

/** The payload's network and family must be those of the intent. */
export const payloadOnIntentNetwork: Check<RequestContext> = {
  name: 'payload-on-intent-network',
  run(context) {
    const { payload } = context.request
    if (payload.network === context.network?.name && payload.family === context.network.family) return null
    return refuse(
      'CHAIN_MISMATCH',
      `The payload is for ${payload.network}, the intent for ${context.request.intent.network}`,
    )
  },
}
