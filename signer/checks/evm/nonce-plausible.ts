import { type EvmContext, type Refusal, refuse } from '../check.js'

/** An account that paid every second would need 136 years for it. */
const MAX_NONCE = 0xffff_ffff

/** Nonces are below 2^64 - 1 (EIP-2681), and small enough to be exact here. */
export function noncePlausible(context: EvmContext): Refusal | null {
  if (context.payload.nonce < MAX_NONCE) return null
  return refuse('NONCE_CONFLICT', `Nonce ${context.payload.nonce} can never be used`)
}
