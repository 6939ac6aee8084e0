/** Estimates fee, limit and time of a payout at one priority, from the database alone. */

import { byFamily } from '../../../domain/chain/by-family.js'
import type { Coin, Network } from '../../../domain/chain/network.js'
import type { Priority } from '../../../domain/payouts/priority.js'
import { estimateFee, feeLimit, PRIORITY_LEVEL } from '../../../domain/payouts/withdrawal-fee.js'
import type { Queryable } from '../../connect.js'
import { readFeePrice } from '../../networks/read-fee-price.js'
import { countLikelyInputs } from './count-likely-inputs.js'

const MINUTE_MS = 60_000

export interface WithdrawalEstimate {
  /** Base units of the network's native coin. */
  readonly fee: bigint
  readonly feeLimit: bigint
  /** Time of the expected confirmation if it did not wait for people: the end of the priority's span. */
  readonly confirmedAt: Date
}

/** Estimates a payout of `amount` base units of `coin`. */
export async function estimateWithdrawal(
  sql: Queryable,
  merchantId: string,
  network: Network,
  coin: Coin,
  amount: bigint,
  priority: Priority,
  now: Date,
): Promise<WithdrawalEstimate> {
  const price = await readFeePrice(sql, network, priority)
  const inputs = await byFamily(network, {
    utxo: ({ name }) => countLikelyInputs(sql, merchantId, name, amount),
    evm: () => 0,
  })
  const fee = estimateFee(network, coin, price, inputs)
  const [, minutes] = PRIORITY_LEVEL[priority].minutes
  return {
    fee,
    feeLimit: feeLimit(network, fee),
    confirmedAt: new Date(now.getTime() + minutes * MINUTE_MS),
  }
}
