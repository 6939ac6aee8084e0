import { type EvmContext, type Refusal, refuse } from '../check.js'

/** What cancels moves nothing. */
export function cancelValueZero(context: EvmContext): Refusal | null {
  if (context.payload.value === '0') return null
  return refuse('AMOUNT_MISMATCH', `What cancels must not send ${context.payload.value} wei`)
}
