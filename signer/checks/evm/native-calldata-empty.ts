import { type EvmContext, type Refusal, refuse } from '../check.js'

/** A payment of the own coin calls nothing. */
export function nativeCalldataEmpty(context: EvmContext): Refusal | null {
  if (context.asset.contract !== null || context.payload.data === '0x') return null
  return refuse('CALLDATA_NOT_ALLOWED', 'A payment of the own coin must not carry calldata')
}
