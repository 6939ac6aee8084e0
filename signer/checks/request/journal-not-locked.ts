import { type Check, type RequestContext, refuseForNow } from '../check.js'

/** A journal that is behind the platform or differs has forgotten decisions, so nothing may be decided on it. */
export const journalNotLocked: Check<RequestContext> = {
  name: 'journal-not-locked',
  run(context) {
    if (!context.state.locked()) return null
    return refuseForNow(
      'JOURNAL_STALE',
      'The journal is not the one that the platform last saw; restore it, or unlock the signer',
    )
  },
}
