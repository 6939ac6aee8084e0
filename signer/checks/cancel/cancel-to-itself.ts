import { type EvmContext, type Refusal, refuse } from '../check.js'

/** What cancels goes from the paying account to the same account. */
export function cancelToItself(context: EvmContext): Refusal | null {
  const { from, to } = context.payload
  if (to.toLowerCase() === from.toLowerCase()) return null
  return refuse('RECIPIENT_MISMATCH', `What cancels must go to ${from} itself, not to ${to}`)
}
