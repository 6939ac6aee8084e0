import { type Check, type EvmContext, refuse } from '../check.js'

/** The chain id must be the policy's: the same bytes would pay on another chain too. */
export const chainIdMatches: Check<EvmContext> = {
  name: 'chain-id-matches',
  run(context) {
    if (context.payload.chain_id === context.network.chainId) return null
    return refuse(
      'CHAIN_MISMATCH',
      `The payload is for chain ${context.payload.chain_id}, the policy's is ${context.network.chainId}`,
    )
  },
}
