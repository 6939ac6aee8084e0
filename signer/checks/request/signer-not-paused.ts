import { type Refusal, type RequestContext, refuseForNow } from '../check.js'

/** The kill switch (the file `PAUSED`) stops everything, also what was decided before. */
export function signerNotPaused(context: RequestContext): Refusal | null {
  return context.state.paused() ? refuseForNow('PAUSED', 'The signer is paused by its operator') : null
}
