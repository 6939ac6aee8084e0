/** Checks all outputs of a batch, so that one answer names every invalid one. */

import type { NewBatchItem } from '../../db/payouts/batches/create-batch.js'
import { leastAmount } from '../../db/payouts/least-amount.js'
import { parseAddress } from '../../domain/address/parse-address.js'
import type { Coin, Network } from '../../domain/chain/network.js'
import { type ErrorCode, KeyturnError } from '../../domain/errors.js'
import { formatAmount, MAX_BASE_UNITS, parseAmount } from '../../domain/money.js'

/** A refused output with the reason. */
interface BadOutput {
  /** Index in the request, from 0. */
  readonly index: number
  readonly code: ErrorCode
  readonly message: string
  readonly to_address: string
  readonly amount: string
}

/**
 * Parses addresses and amounts.
 *
 * @throws KeyturnError with the code of the first bad output (`INVALID_ADDRESS`, `INVALID_AMOUNT`) and
 * `details.outputs`, which lists each with its index.
 */
export function checkBatchOutputs(
  network: Network,
  coin: Coin,
  outputs: readonly { readonly to_address: string; readonly amount: string }[],
): NewBatchItem[] {
  const items: NewBatchItem[] = []
  const bad: BadOutput[] = []
  for (const [index, output] of outputs.entries()) {
    try {
      const { address } = parseAddress(network, output.to_address)
      const amount = parseAmount(output.amount, coin.decimals)
      requireLeast(network, coin, amount)
      items.push({ toAddress: address, amount, amountSent: output.amount })
    } catch (error) {
      if (!(error instanceof KeyturnError)) throw error
      bad.push({ index, code: error.code, message: error.message, ...output })
    }
  }
  const [first] = bad
  if (!first) {
    requireSum(items)
    return items
  }
  const which = bad.length === 1 ? `Output ${first.index} is` : `${bad.length} outputs are`
  throw new KeyturnError(
    first.code,
    `${which} invalid, so the batch was not accepted. Correct the outputs listed in details.outputs and send the batch again`,
    { details: { network: network.name, coin: coin.name, outputs: bad } },
  )
}

/** Requires that the sum, which is held, is a valid amount as well. */
function requireSum(items: readonly NewBatchItem[]): void {
  const sum = items.reduce((total, { amount }) => total + amount, 0n)
  if (sum > MAX_BASE_UNITS) throw new KeyturnError('INVALID_AMOUNT', 'The sum of the amounts is too large')
}

function requireLeast(network: Network, coin: Coin, amount: bigint): void {
  const least = leastAmount(network, coin)
  if (amount >= least) return
  throw new KeyturnError(
    'INVALID_AMOUNT',
    `The amount is too small. Send at least ${formatAmount(least, coin.decimals)} ${coin.name}`,
  )
}
