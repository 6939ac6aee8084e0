/** Estimates fee and limit of each transaction of a batch, from the database alone. */

import { byFamily } from '../../../domain/chain/by-family.js'
import type { Coin, Network } from '../../../domain/chain/network.js'
import type { BatchItem } from '../../../domain/payouts/batch-parts.js'
import type { Priority } from '../../../domain/payouts/priority.js'
import { estimateFee, feeLimit } from '../../../domain/payouts/withdrawal-fee.js'
import type { Queryable } from '../../connect.js'
import { readFeePrice } from '../../networks/read-fee-price.js'
import { countLikelyInputs } from '../withdrawals/count-likely-inputs.js'

/** Base units of the network's native coin. */
export interface PartEstimate {
  readonly fee: bigint
  readonly feeLimit: bigint
}

/** Estimates each part, in the same order. */
export async function estimateBatch(
  sql: Queryable,
  merchantId: string,
  network: Network,
  coin: Coin,
  parts: readonly (readonly BatchItem[])[],
  priority: Priority,
): Promise<PartEstimate[]> {
  const price = await readFeePrice(sql, network, priority)
  const estimates: PartEstimate[] = []
  for (const part of parts) {
    const amount = part.reduce((sum, item) => sum + item.amount, 0n)
    const inputs = await byFamily(network, {
      utxo: ({ name }) => countLikelyInputs(sql, merchantId, name, amount),
      evm: () => 0,
    })
    const fee = estimateFee(network, coin, price, inputs, part.length)
    estimates.push({ fee, feeLimit: feeLimit(network, fee) })
  }
  return estimates
}
