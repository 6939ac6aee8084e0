import { decodeTransfer } from '../../evm/erc20-transfer.js'
import { type EvmContext, type Refusal, refuse } from '../check.js'

/** The token amount must be exactly what was approved. */
export function tokenAmountMatches(context: EvmContext): Refusal | null {
  if (context.asset.contract === null) return null
  const { amount } = decodeTransfer(context.payload.data)
  if (amount === BigInt(context.outputs[0]?.amount ?? '0')) return null
  return refuse('AMOUNT_MISMATCH', `The transfer is of ${amount}, approved is ${context.outputs[0]?.amount}`)
}
