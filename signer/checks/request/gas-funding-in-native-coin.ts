import { type Check, type RequestContext, refuse } from '../check.js'

/** Gas is paid in the network's own coin, and the budgets of gas funding count nothing else. */
export const gasFundingInNativeCoin: Check<RequestContext> = {
  name: 'gas-funding-in-native-coin',
  purpose: 'pay',
  run({ movement, asset }) {
    if (movement?.kind !== 'gas_funding' || asset?.contract === null) return null
    return refuse('ASSET_MISMATCH', "Gas is funded in the network's own coin only")
  },
}
