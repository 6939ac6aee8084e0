import { type Check, type PayloadContext, refuse } from '../check.js'

/** An intent id always stands for the same intent: it is the replay key. */
export const intentUnchanged: Check<PayloadContext> = {
  name: 'intent-unchanged',
  run(context) {
    const { state, request } = context
    const known = state.journal.records.hashOf(request.intent.withdrawal)
    if (known === undefined || known === context.intentHash) return null
    return refuse('CONFLICT_SET', 'This id was signed with another intent')
  },
}
