/**
 * Reports that a wallet's balance is low, once for each crossing of the mark, and resets the report when it
 * is filled.
 */

import { findNetwork, knownCoin, type Networks } from '../../../domain/chain/network.js'
import { formatAmount } from '../../../domain/money.js'
import { isLow, NO_TREASURY, type WatchedWallet } from '../../../domain/payouts/treasury.js'
import type { WalletLowBalance } from '../../../wire/event.js'
import { appendAudit } from '../../audit/append-audit.js'
import { inTransaction, type Sql } from '../../connect.js'
import { appendEvent } from '../../events/log/append-event.js'

/**
 * Compares a wallet's balance in the books with its mark, and appends `wallet.low_balance` at a crossing.
 *
 * @param found - `empty`: a payout found too little in the wallet, so its balance is low even above its mark.
 * @returns Whether it counts as low now.
 */
export async function noteBalance(
  sql: Sql,
  networks: Networks,
  addressId: string,
  coinName: string,
  found: 'balance' | 'empty' = 'balance',
): Promise<boolean> {
  return inTransaction(sql, async (tx) => {
    // The wallet's row is the lock of its reports.
    const [wallet] = await tx<
      { merchant_id: string; network: string; kind: WatchedWallet; address: string; label: string | null }[]
    >`SELECT merchant_id, network, kind, address, label FROM addresses WHERE id = ${addressId} FOR UPDATE`
    if (!wallet) throw new Error(`Wallet ${addressId} does not exist`)
    const network = findNetwork(networks, wallet.network)
    const coin = knownCoin(network, coinName)
    const mark = (network.treasury ?? NO_TREASURY).lowBalance[wallet.kind]?.[coinName] ?? 0n
    const [known] = await tx<{ balance: bigint | null; low: boolean }[]>`
      SELECT (SELECT balance FROM ledger_accounts
              WHERE merchant_id = ${wallet.merchant_id} AND network = ${wallet.network} AND coin = ${coinName}
                AND kind = 'chain' AND owner = ${addressId}) AS balance,
             EXISTS (SELECT FROM wallet_alerts
                     WHERE address_id = ${addressId} AND coin = ${coinName} AND kind = 'low_balance') AS low`
    const balance = known?.balance ?? 0n
    const wasLow = known?.low ?? false
    // A wallet that never held this coin does not run low in it, unless it was needed.
    const used = wasLow || (known?.balance ?? null) !== null
    const low = found === 'empty' || (used && isLow(balance, mark, wasLow))
    if (low === wasLow) return low
    if (!low) {
      await tx`DELETE FROM wallet_alerts WHERE address_id = ${addressId} AND coin = ${coinName} AND kind = 'low_balance'`
      return low
    }
    await tx`
      INSERT INTO wallet_alerts (merchant_id, address_id, coin, kind)
      VALUES (${wallet.merchant_id}, ${addressId}, ${coinName}, 'low_balance')`
    const data: WalletLowBalance = {
      wallet_id: addressId,
      kind: wallet.kind,
      network: wallet.network,
      coin: coinName,
      address: wallet.address,
      label: wallet.label,
      balance: formatAmount(balance, coin.decimals),
      threshold: formatAmount(mark, coin.decimals),
    }
    await appendEvent(tx, {
      merchantId: wallet.merchant_id,
      type: 'wallet.low_balance',
      subject: addressId,
      data,
    })
    await appendAudit(tx, {
      merchantId: wallet.merchant_id,
      actor: 'system:treasury',
      action: 'wallet.low_balance',
      subject: addressId,
      data,
    })
    return low
  })
}
