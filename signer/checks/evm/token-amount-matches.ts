import { decodeTransfer } from '../../evm/erc20-transfer.js'
import { type Check, type EvmContext, refuse } from '../check.js'

/** The token amount must be exactly what was approved. */
export const tokenAmountMatches: Check<EvmContext> = {
  name: 'token-amount-matches',
  purpose: 'pay',
  run(context) {
    if (context.asset.contract === null) return null
    const { amount } = decodeTransfer(context.payload.data)
    if (amount === BigInt(context.outputs[0]?.amount ?? '0')) return null
    return refuse(
      'AMOUNT_MISMATCH',
      `The transfer is of ${amount}, approved is ${context.outputs[0]?.amount}`,
    )
  },
}
