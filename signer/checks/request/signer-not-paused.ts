import { type Check, type RequestContext, refuseForNow } from '../check.js'

/** The kill switch (the file `PAUSED`) stops everything, including requests that were decided before. */
export const signerNotPaused: Check<RequestContext> = {
  name: 'signer-not-paused',
  run(context) {
    return context.state.paused() ? refuseForNow('PAUSED', 'The signer is paused by its operator') : null
  },
}
