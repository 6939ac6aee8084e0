/** Asks a screening service about the destination of a withdrawal, before anyone may approve it. */

import { Context } from '@temporalio/activity'
import { findRow, type PayoutRow } from '../../../db/payouts/payout-row.js'
import { storeScreening } from '../../../db/payouts/withdrawals/store-screening.js'
import { findNetwork, knownCoin, type Networks } from '../../../domain/chain/network.js'
import { formatAmount } from '../../../domain/money.js'
import { askScreening } from '../../../egress/screening/ask-screening.js'
import { type WaitStep, type WithdrawalChainDependencies, waitFor } from './dependencies.js'

/** `done`: read the row again. */
export type ScreenStep = { readonly kind: 'done' } | WaitStep

/**
 * Posts the withdrawal, signed as a Standard Webhook with the withdrawal's id, and stores the answer. Any
 * other reply makes the withdrawal wait: nothing passes unscreened.
 */
export async function screenWithdrawal(
  dependencies: WithdrawalChainDependencies,
  id: string,
): Promise<ScreenStep> {
  const { sql, networks, screening } = dependencies
  const row = await findRow(sql, id)
  if (row.stage !== 'requested' || row.screening?.state !== 'pending') return { kind: 'done' }
  const unavailable = (reason: string) =>
    waitFor(dependencies, id, 'SCREENING_UNAVAILABLE', `The destination is not screened yet: ${reason}`)
  if (!screening) return unavailable('this worker knows no screening service')
  const said = await askScreening(screening, question(networks, row), Context.current().cancellationSignal)
  if ('unavailable' in said) return unavailable(said.unavailable)
  await storeScreening(sql, networks, id, said)
  return { kind: 'done' }
}

/** Builds the question. Amounts are decimal strings in whole coins. */
function question(networks: Networks, row: PayoutRow) {
  const { decimals } = knownCoin(findNetwork(networks, row.network), row.coin)
  return {
    id: row.id,
    merchant_id: row.merchant_id,
    network: row.network,
    coin: row.coin,
    amount: row.amount_text ?? formatAmount(row.amount, decimals),
    to_address: row.to_address,
    user_reference: row.user_reference,
    external_id: row.external_id,
    metadata: row.metadata,
    risk: row.risk,
    created_at: row.created_at.toISOString(),
  }
}
