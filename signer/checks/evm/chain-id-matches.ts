import { type EvmContext, type Refusal, refuse } from '../check.js'

/** The chain id must be the policy's: the same bytes would pay on another chain too. */
export function chainIdMatches(context: EvmContext): Refusal | null {
  if (context.payload.chain_id === context.network.chainId) return null
  return refuse(
    'CHAIN_MISMATCH',
    `The payload is for chain ${context.payload.chain_id}, the policy's is ${context.network.chainId}`,
  )
}
