import { type Check, type EvmContext, refuse } from '../check.js'

/** The transaction must go to the recipient, or to the contract of the token. */
export const calledAddressMatches: Check<EvmContext> = {
  name: 'called-address-matches',
  purpose: 'pay',
  run(context) {
    const to = context.payload.to.toLowerCase()
    if (context.asset.contract !== null) {
      return to === context.asset.contract
        ? null
        : refuse('ASSET_MISMATCH', `${context.payload.to} is not the token's contract`)
    }
    if (to === context.outputs[0]?.address.toLowerCase()) return null
    return refuse('RECIPIENT_MISMATCH', `${context.payload.to} is not the approved recipient`)
  },
}
