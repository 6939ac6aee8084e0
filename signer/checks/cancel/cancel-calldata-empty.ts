import { type Check, type EvmContext, refuse } from '../check.js'

/** A cancelling transaction calls nothing: an account with code of its own (EIP-7702) would run it. */
export const cancelCalldataEmpty: Check<EvmContext> = {
  name: 'cancel-calldata-empty',
  purpose: 'cancel',
  run(context) {
    if (context.payload.data === '0x') return null
    return refuse('CALLDATA_NOT_ALLOWED', 'A cancelling transaction must not carry calldata')
  },
}
