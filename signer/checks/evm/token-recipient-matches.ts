import { decodeTransfer } from '../../evm/erc20-transfer.js'
import { type Check, type EvmContext, refuse } from '../check.js'

/** The token must go to the approved recipient. */
export const tokenRecipientMatches: Check<EvmContext> = {
  name: 'token-recipient-matches',
  purpose: 'pay',
  run(context) {
    if (context.asset.contract === null) return null
    const { to } = decodeTransfer(context.payload.data)
    if (to === context.outputs[0]?.address.toLowerCase()) return null
    return refuse('RECIPIENT_MISMATCH', `${to} is not the approved recipient`)
  },
}
