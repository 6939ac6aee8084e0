import { type Check, type EvmContext, refuse } from '../check.js'

/**
 * An EVM transaction pays one recipient, and cancels one payout. A cancellation that fills a gap in the
 * name of several items would make one payout of them, and limits and times would count only its first
 * item.
 */
export const singleRecipient: Check<EvmContext> = {
  name: 'single-recipient',
  run(context) {
    if (context.outputs.length === 1) return null
    return refuse(
      'OUTPUT_NOT_ALLOWED',
      'An EVM transaction cannot pay several recipients, or cancel several payouts',
    )
  },
}
