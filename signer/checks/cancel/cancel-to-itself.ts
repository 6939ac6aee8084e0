import { type Check, type EvmContext, refuse } from '../check.js'

/** A cancelling transaction goes from the paying account to the same account. */
export const cancelToItself: Check<EvmContext> = {
  name: 'cancel-to-itself',
  purpose: 'cancel',
  run(context) {
    const { from, to } = context.payload
    if (to.toLowerCase() === from.toLowerCase()) return null
    return refuse('RECIPIENT_MISMATCH', `A cancelling transaction must go to ${from} itself, not to ${to}`)
  },
}
