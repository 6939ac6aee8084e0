import { type Check, type EvmContext, refuse } from '../check.js'

const WORD = 2n ** 256n
/** Gas that every transaction costs before it does anything. */
const LEAST_GAS = 21_000n
/** The highest gas limit of one transaction on Ethereum (EIP-7825). */
const MOST_GAS = 2n ** 24n

/** A transaction with a number above 256 bits, or with more gas than a block takes, is never mined. */
export const numbersFit: Check<EvmContext> = {
  name: 'numbers-fit',
  run({ payload }) {
    const words = [payload.value, payload.max_fee_per_gas, payload.max_priority_fee_per_gas]
    if (words.some((text) => BigInt(text) >= WORD)) {
      return refuse('MALFORMED', 'A number of the payload does not fit in 256 bits')
    }
    const gas = BigInt(payload.gas)
    if (gas >= LEAST_GAS && gas <= MOST_GAS) return null
    return refuse('MALFORMED', `No block takes a transaction with ${gas} gas`)
  },
}
