import { type EvmContext, type Refusal, refuse } from '../check.js'

/** A token transfer sends none of the own coin. */
export function tokenValueZero(context: EvmContext): Refusal | null {
  if (context.asset.contract === null || context.payload.value === '0') return null
  return refuse('AMOUNT_MISMATCH', `A token transfer must not send ${context.payload.value} wei`)
}
