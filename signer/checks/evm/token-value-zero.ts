import { type Check, type EvmContext, refuse } from '../check.js'

/** A token transfer sends none of the own coin. */
export const tokenValueZero: Check<EvmContext> = {
  name: 'token-value-zero',
  purpose: 'pay',
  run(context) {
    if (context.asset.contract === null || context.payload.value === '0') return null
    return refuse('AMOUNT_MISMATCH', `A token transfer must not send ${context.payload.value} wei`)
  },
}
