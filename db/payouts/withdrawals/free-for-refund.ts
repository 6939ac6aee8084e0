/** Releases of what a dispute holds as much as a refund is about to hold itself. */

import { type Network, nativeCoin } from '../../../domain/chain/network.js'
import { takeFunds } from '../../books/balances/own-funds.js'
import { releaseHolds } from '../../books/exceptions/dispute-holds.js'
import { lockHeldAccounts } from '../../books/exceptions/lock-held-accounts.js'
import { holdAccounts } from '../../books/ledger/lock-accounts.js'
import type { Transaction } from '../../connect.js'
import { lockLimits } from '../../controls/limits/take-limits.js'
import type { Owed } from './find-owed.js'

/**
 * Takes the locks of the withdrawal that follows, in their order, and then releases. Holds of other coins and of other
 * disputes stay.
 *
 * @param exception - Exception that the caller has locked.
 */
export async function freeForRefund(
  tx: Transaction,
  exception: { readonly id: string; readonly merchant_id: string },
  network: Network,
  owed: Owed,
): Promise<void> {
  const { merchant_id: merchantId } = exception
  const paid = {
    network: owed.network,
    coin: owed.coin,
    owner: owed.userReference ?? '',
    amount: owed.amount,
  }
  const fee = { network: owed.network, coin: nativeCoin(network).name, owner: '' }
  const parties = fee.coin === paid.coin ? [paid] : [paid, fee]
  await lockLimits(tx, merchantId, owed.network, owed.coin)
  await takeFunds(tx, merchantId, parties)
  await lockHeldAccounts(tx, merchantId, [exception.id], parties.flatMap(holdAccounts))
  await releaseHolds(tx, exception, paid)
}
