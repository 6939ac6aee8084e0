import { type Check, type RequestContext, refuse } from '../check.js'

/** After a restore, an older intent that the journal does not hold may have been signed before: paying it again is not an option. */
export const intentNewerThanRestore: Check<RequestContext> = {
  name: 'intent-newer-than-restore',
  purpose: 'pay',
  run(context) {
    const { fence } = context.state.journal
    if (context.record?.paid || fence === null) return null
    if (Date.parse(context.request.intent.created_at) > fence) return null
    return refuse(
      'JOURNAL_STALE',
      'The intent is older than the restore of this signer; create and approve it again',
    )
  },
}
