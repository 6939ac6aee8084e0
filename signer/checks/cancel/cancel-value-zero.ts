import { type Check, type EvmContext, refuse } from '../check.js'

/** A cancelling transaction moves nothing. */
export const cancelValueZero: Check<EvmContext> = {
  name: 'cancel-value-zero',
  purpose: 'cancel',
  run(context) {
    if (context.payload.value === '0') return null
    return refuse('AMOUNT_MISMATCH', `A cancelling transaction must not send ${context.payload.value} wei`)
  },
}
