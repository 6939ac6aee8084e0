import { type EvmContext, type Refusal, refuse } from '../check.js'

/** An EVM transaction pays one recipient. */
export function singleRecipient(context: EvmContext): Refusal | null {
  if (context.outputs.length === 1) return null
  return refuse('OUTPUT_NOT_ALLOWED', 'An EVM transaction cannot pay several recipients')
}
