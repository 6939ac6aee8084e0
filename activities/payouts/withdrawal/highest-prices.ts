/** The prices that a replacement has to exceed. */

import type { AttemptRow } from '../../../db/payouts/attempts/find-attempts.js'
import type { EvmPayload } from '../../../domain/signing/signer-protocol.js'

/** Returns the highest price that any node may have seen. A replacement must exceed it. */
export function highestPrices(attempts: readonly AttemptRow[]) {
  let maxFeePerGas = 0n
  let maxPriorityFeePerGas = 0n
  for (const attempt of attempts) {
    const { max_fee_per_gas, max_priority_fee_per_gas } = evmPayload(attempt)
    if (BigInt(max_fee_per_gas) > maxFeePerGas) maxFeePerGas = BigInt(max_fee_per_gas)
    if (BigInt(max_priority_fee_per_gas) > maxPriorityFeePerGas)
      maxPriorityFeePerGas = BigInt(max_priority_fee_per_gas)
  }
  return { maxFeePerGas, maxPriorityFeePerGas }
}

export function evmPayload({ id, payload }: AttemptRow): EvmPayload {
  if (payload.family !== 'evm') throw new Error(`${id} is no EVM transaction`)
  return payload
}
