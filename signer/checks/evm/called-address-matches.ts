import { type EvmContext, type Refusal, refuse } from '../check.js'

/** The transaction must go to the recipient, or to the contract of the token. */
export function calledAddressMatches(context: EvmContext): Refusal | null {
  const to = context.payload.to.toLowerCase()
  if (context.asset.contract !== null) {
    return to === context.asset.contract
      ? null
      : refuse('ASSET_MISMATCH', `${context.payload.to} is not the token's contract`)
  }
  if (to === context.outputs[0]?.address.toLowerCase()) return null
  return refuse('RECIPIENT_MISMATCH', `${context.payload.to} is not who was approved`)
}
