import { decodeTransfer, encodeTransfer } from '../../evm/erc20-transfer.js'
import { type Check, type EvmContext, refuse } from '../check.js'

/** Re-encoded, the call must be the same bytes: nothing in the padding, nothing behind. */
export const tokenCallCanonical: Check<EvmContext> = {
  name: 'token-call-canonical',
  purpose: 'pay',
  run(context) {
    if (context.asset.contract === null) return null
    const data = context.payload.data.toLowerCase()
    const { selector, to, amount } = decodeTransfer(data)
    const canonical = `0x${selector}${encodeTransfer(to, amount).slice(10)}`
    return data === canonical
      ? null
      : refuse('CALLDATA_NOT_ALLOWED', 'The calldata is not exactly one transfer')
  },
}
