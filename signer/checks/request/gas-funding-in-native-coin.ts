import { type Refusal, type RequestContext, refuse } from '../check.js'

/** Gas is paid in the network's own coin, and the budgets of gas funding count nothing else. */
export function gasFundingInNativeCoin({ movement, asset }: RequestContext): Refusal | null {
  if (movement?.kind !== 'gas_funding' || asset?.contract === null) return null
  return refuse('ASSET_MISMATCH', "Gas is funded in the network's own coin only")
}
