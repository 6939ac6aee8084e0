import { type Check, type EvmContext, refuse } from '../check.js'

/** A payout of the own coin calls nothing. */
export const nativeCalldataEmpty: Check<EvmContext> = {
  name: 'native-calldata-empty',
  purpose: 'pay',
  run(context) {
    if (context.asset.contract !== null || context.payload.data === '0x') return null
    return refuse('CALLDATA_NOT_ALLOWED', 'A payout of the own coin must not carry calldata')
  },
}
