/**
 * Holds a deposit that did not pass screening: it stays in the books as reserved and does not become
 * available.
 */

import { findNetwork, knownCoin, type Network, type Networks } from '../../domain/chain/network.js'
import { formatAmount } from '../../domain/money.js'
import { appendAudit } from '../audit/append-audit.js'
import { inTransaction, type Sql, type Transaction } from '../connect.js'
import { appendEvents } from '../events/log/append-events.js'
import { noticeEvent } from '../events/log/notice-event.js'
import { readHeight } from '../networks/chain-cursor.js'
import { lockDeposit } from './confirm-deposit.js'
import { type CreditOutcome, settledOutcome } from './credit-outcome.js'
import type { DepositRow } from './deposit-row.js'
import { depositEvent } from './deposit-view.js'
import { moveDeposit } from './move-deposit.js'
import { saveDeposits } from './save-deposits.js'

/** Holds a deposit, with a notice for a person to decide (`releaseDeposit`). Safe to repeat. */
export async function holdDeposit(
  sql: Sql,
  networks: Networks,
  id: string,
  reason: string,
): Promise<CreditOutcome> {
  return inTransaction(sql, async (tx): Promise<CreditOutcome> => {
    const [row] = await lockDeposit(tx, id)
    if (!row) return { kind: 'not_confirmed' }
    const decided = settledOutcome(row.status)
    if (decided !== null) return decided
    const network = findNetwork(networks, row.network)
    await setAside(tx, network, row, await readHeight(tx, row.network), reason)
    return { kind: 'held' }
  })
}

/** Holds a row that the caller holds locked, with a notice for a person to decide. */
export async function setAside(
  tx: Transaction,
  network: Network,
  row: DepositRow,
  { height, now }: Awaited<ReturnType<typeof readHeight>>,
  reason: string,
): Promise<void> {
  const held = moveDeposit(row, 'held', now, `Screening: ${reason}`)
  await saveDeposits(tx, [held])
  await appendAudit(tx, {
    merchantId: row.merchant_id,
    actor: 'system:screening',
    action: 'deposit.held',
    subject: row.id,
    data: { reason },
  })
  await appendEvents(tx, [
    depositEvent(network, held, height, row.status),
    noticeEvent({
      merchantId: row.merchant_id,
      kind: 'deposit.held',
      severity: 'medium',
      subject: row.id,
      facts: {
        message: 'Screening set this deposit aside; a reviewer releases or rejects it',
        reason,
        network: row.network,
        coin: row.coin,
        amount: formatAmount(row.amount, knownCoin(network, row.coin).decimals),
        user_reference: row.user_reference,
        transaction_hash: row.txid,
      },
    }),
  ])
}
