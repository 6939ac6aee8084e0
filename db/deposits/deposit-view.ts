/** Makes the shape in which events and the API show a deposit. */

import { knownCoin, type Network, nativeCoin } from '../../domain/chain/network.js'
import type { DepositStatus } from '../../domain/deposits/deposit-status.js'
import { formatAmount } from '../../domain/money.js'
import type { Deposit } from '../../wire/deposit.js'
import type { DepositRow } from './deposit-row.js'

/**
 * Makes the view of a row.
 *
 * @param height - Height up to which the chain was scanned. `null` before the first start.
 * @param previous - Status before. Set in events only.
 */
export function depositView(
  network: Network,
  row: DepositRow,
  height: number | null,
  previous?: DepositStatus | null,
): Deposit {
  const native = nativeCoin(network)
  const block = row.block_number === null ? null : Number(row.block_number)
  return {
    id: row.id,
    status: row.status,
    ...(previous === undefined ? {} : { previous_status: previous }),
    network: row.network,
    coin: row.coin,
    amount: formatAmount(row.amount, knownCoin(network, row.coin).decimals),
    user_reference: row.user_reference,
    address: {
      id: row.address_id,
      address: row.address,
      network: row.network,
      label: row.address_label,
      key_pair_id: row.key_account_id,
      asset_pool_id: row.asset_pool_id,
    },
    transaction_hash: row.txid,
    output_index: row.output_index,
    confirmations: block === null || height === null ? 0 : Math.max(0, height - block + 1),
    required_confirmations: row.required_confirmations,
    block_number: block,
    block_hash: row.block_hash,
    block_time: row.block_time?.toISOString() ?? null,
    fee: row.fee === null ? null : { coin: native.name, amount: formatAmount(row.fee, native.decimals) },
    sources: row.sources,
    destinations: row.destinations,
    payment_id: row.payment_id,
    decision: decisionOf(row),
    detected_at: row.detected_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
    confirmed_at: row.confirmed_at?.toISOString() ?? null,
    credited_at: row.credited_at?.toISOString() ?? null,
  }
}

/** Makes the `deposit.status_changed` event of a row that just got its status. */
export function depositEvent(
  network: Network,
  row: DepositRow,
  height: number | null,
  previous: DepositStatus | null,
) {
  return {
    merchantId: row.merchant_id,
    type: 'deposit.status_changed' as const,
    subject: row.id,
    data: { ...depositView(network, row, height, previous) },
  }
}

/** Returns the decision about this mining. A decision about an earlier one does not count. */
function decisionOf({ decision, epoch }: DepositRow): Deposit['decision'] {
  if (decision === null || decision.epoch !== epoch) return null
  const { epoch: _, ...shown } = decision
  return shown
}
