import { decodeTransfer, TRANSFER_SELECTOR } from '../../evm/erc20-transfer.js'
import { type Check, type EvmContext, refuse } from '../check.js'

/** Only `transfer(address,uint256)`: no approve, no permit, nothing else. */
export const tokenCallIsTransfer: Check<EvmContext> = {
  name: 'token-call-is-transfer',
  purpose: 'pay',
  run(context) {
    if (context.asset.contract === null) return null
    const { selector } = decodeTransfer(context.payload.data)
    if (selector === TRANSFER_SELECTOR) return null
    return refuse('CALLDATA_NOT_ALLOWED', `The call 0x${selector} is not transfer(address,uint256)`)
  },
}
