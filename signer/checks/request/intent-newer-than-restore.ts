import { type Refusal, type RequestContext, refuse } from '../check.js'

/** After a restore, an older intent that the journal does not hold may have been signed before: paying it again is not an option. */
export function intentNewerThanRestore(context: RequestContext): Refusal | null {
  const { fence } = context.state.journal
  if (context.record?.paid || fence === null) return null
  if (Date.parse(context.request.intent.created_at) > fence) return null
  return refuse(
    'JOURNAL_STALE',
    'The intent is older than the restore of this signer; create and approve it again',
  )
}
