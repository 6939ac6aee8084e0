/** The last step: reserved becomes available (seed 003: SUCCESS). */

import { formatAmount } from '../../domain/money.js'
import { findCoin, findNetwork, type Networks } from '../../domain/network.js'
import type { ConsolidationInput } from '../../workflows/start.js'
import { appendAudit } from '../audit/append-audit.js'
import { readCursor } from '../chain/chain-cursor.js'
import type { Sql } from '../connect.js'
import { appendEvents } from '../events/append-events.js'
import { postJournal } from '../ledger/post-journal.js'
import { dueNow } from '../treasury/consolidation-due.js'
import { balanceEvent } from './balance-event.js'
import { lockDeposit } from './confirm-deposit.js'
import { depositJournal } from './deposit-journal.js'
import { depositEvent } from './deposit-view.js'
import { moveDeposit } from './move-deposit.js'
import { saveDeposits } from './save-deposits.js'

export type CreditOutcome =
  /** With what is to be started now, where the credited address is swept by itself. */
  | { readonly kind: 'credited'; readonly consolidation?: ConsolidationInput }
  /** Too small to be credited by itself, or set aside by screening. */
  | { readonly kind: 'held' }
  | { readonly kind: 'gone'; readonly status: 'reverted' | 'replaced' }
  /** Not confirmed (any more). */
  | { readonly kind: 'not_confirmed' }

export interface Release {
  /** Who releases a held deposit, as the audit log names them. */
  readonly actor: string
  readonly reason: string
}

/**
 * Credits a deposit that passed screening, or that a person releases from `held`. Safe to repeat.
 *
 * @param release - Needed for a held deposit; without it held stays held.
 */
export async function creditDeposit(
  sql: Sql,
  networks: Networks,
  id: string,
  release?: Release,
): Promise<CreditOutcome> {
  return sql.begin(async (tx): Promise<CreditOutcome> => {
    const [row] = await lockDeposit(tx, id)
    switch (row?.status) {
      case 'success':
        return { kind: 'credited' }
      case 'reverted':
      case 'replaced':
        return { kind: 'gone', status: row.status }
      case 'held':
        if (!release) return { kind: 'held' }
        break
      case 'screening_requested':
        break
      default:
        return { kind: 'not_confirmed' }
    }
    const network = findNetwork(networks, row.network)
    const coin = findCoin(network, row.coin)
    const height = (await readCursor(tx, row.network))?.height ?? null
    const at = new Date()
    if (!release && row.amount < coin.dust) {
      const held = moveDeposit(row, 'held', at, `Below the smallest amount credited by itself`)
      await saveDeposits(tx, [held])
      await appendEvents(tx, [depositEvent(network, held, height, row.status)])
      return { kind: 'held' }
    }
    const cause = release ? `Released by ${release.actor}: ${release.reason}` : 'Screening passed; available'
    const credited = moveDeposit(row, 'success', at, cause, { credited_at: at })
    await Promise.all([
      postJournal(tx, depositJournal(row, 'success')),
      saveDeposits(tx, [credited]),
      appendAudit(tx, {
        merchantId: row.merchant_id,
        actor: release?.actor ?? 'system:deposit',
        action: release ? 'deposit.released' : 'deposit.credited',
        subject: row.id,
        data: {
          network: row.network,
          coin: row.coin,
          amount: formatAmount(row.amount, coin.decimals),
          user_reference: row.user_reference,
          transaction_hash: row.txid,
          ...(release ? { reason: release.reason } : {}),
        },
      }),
    ])
    const balance = await balanceEvent(tx, network, credited, {
      available: row.amount,
      blockchain: 0n,
      reserved: -row.amount,
    })
    await appendEvents(tx, [balance, depositEvent(network, credited, height, row.status)])
    if (network.family !== 'evm' || !network.treasury?.automatic || row.user_reference === null) {
      return { kind: 'credited' }
    }
    await dueNow(tx, row.address_id, row.coin)
    return {
      kind: 'credited',
      consolidation: {
        merchantId: row.merchant_id,
        network: row.network,
        coin: row.coin,
        id: row.address_id,
        title: `${row.coin} of ${row.address}`,
      },
    }
  }) as Promise<CreditOutcome>
}
