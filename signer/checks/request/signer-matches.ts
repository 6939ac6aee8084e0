import { type Check, type RequestContext, refuse } from '../check.js'

/**
 * People approve that one signer pays: with its seed, and with its journal, which alone knows whether it
 * has. An older intent names no signer. One that this journal has paid may get a higher fee or be
 * cancelled; no other is paid.
 */
export const signerMatches: Check<RequestContext> = {
  name: 'signer-matches',
  run({ request, state, record }) {
    const { signer } = request.intent
    if (signer === state.signerId) return null
    if (signer !== undefined) {
      return refuse('SIGNER_MISMATCH', `The intent is to be paid by ${signer}; this is ${state.signerId}`)
    }
    if (record?.paid || request.purpose === 'cancel') return null
    return refuse('MALFORMED', 'The intent does not name the signer that shall pay; ask for it again')
  },
}
