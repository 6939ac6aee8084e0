import { type EvmContext, type Refusal, refuse } from '../check.js'

/** The fee of a token transfer is in another coin, so its recipient cannot pay it. */
export function tokenFeePaidBySender(context: EvmContext): Refusal | null {
  if (context.asset.contract === null || context.request.intent.fee_payer === 'sender') return null
  return refuse('AMOUNT_MISMATCH', 'The recipient of a token cannot pay the fee in the own coin')
}
