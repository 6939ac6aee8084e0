/** Makes a deposit available in the books: journal, row, audit and events in one transaction. */

import { byFamily } from '../../domain/chain/by-family.js'
import { knownCoin, type Network } from '../../domain/chain/network.js'
import { formatAmount } from '../../domain/money.js'
import type { ConsolidationInput } from '../../temporal/inputs.js'
import { appendAudit } from '../audit/append-audit.js'
import { closeCause } from '../books/exceptions/close-cause.js'
import { placeHolds } from '../books/exceptions/dispute-holds.js'
import type { Dispute } from '../books/exceptions/dispute-locks.js'
import { raiseExceptions } from '../books/exceptions/raise-exception.js'
import { postJournal } from '../books/ledger/post-journal.js'
import type { Transaction } from '../connect.js'
import { appendEvents, type NewEvent } from '../events/log/append-events.js'
import { followDeposits } from '../payments/follow-deposits.js'
import { dueNow } from '../payouts/movements/consolidation-due.js'
import { balanceEvent } from './balance-event.js'
import { depositJournal, ownerOf } from './deposit-journal.js'
import type { DepositRow } from './deposit-row.js'
import { depositEvent } from './deposit-view.js'
import { lockConcerned } from './lock-concerned.js'
import { moveDeposit } from './move-deposit.js'
import { saveDeposits } from './save-deposits.js'

/** Cause of a credit, and who acts. */
export interface Credit {
  /** Cause, for the history. */
  readonly cause: string
  readonly actor: string
  readonly action: 'deposit.credited' | 'deposit.released'
  /** Further facts for the audit log. */
  readonly audit?: Readonly<Record<string, unknown>>
}

/**
 * Credits a row that the caller holds locked and whose status allows it.
 *
 * @param height - Height up to which the chain was scanned. `null` before the first start.
 * @returns The consolidation to start, if the network sweeps the credited address. Else `null`.
 */
export async function bookCredit(
  tx: Transaction,
  network: Network,
  row: DepositRow,
  height: number | null,
  credit: Credit,
): Promise<ConsolidationInput | null> {
  const { decimals } = knownCoin(network, row.coin)
  const [disputes, { at }] = await Promise.all([
    lockConcerned(tx, [row]),
    postJournal(tx, depositJournal(row, 'success')),
  ])
  const credited = moveDeposit(row, 'success', at, credit.cause, { credited_at: at })
  const [, balance] = await Promise.all([
    saveDeposits(tx, [credited]),
    balanceEvent(tx, network, credited, { available: row.amount, blockchain: 0n, reserved: -row.amount }),
    appendAudit(tx, {
      merchantId: row.merchant_id,
      actor: credit.actor,
      action: credit.action,
      subject: row.id,
      data: {
        network: row.network,
        coin: row.coin,
        amount: formatAmount(row.amount, decimals),
        user_reference: row.user_reference,
        transaction_hash: row.txid,
        ...credit.audit,
      },
    }),
  ])
  await appendEvents(tx, [
    balance,
    depositEvent(network, credited, height, row.status),
    ...(await followDeposits(tx, [credited])),
    ...(await raiseUnattributed(tx, network, credited)),
  ])
  await closeReverted(tx, credited)
  await holdDisputed(tx, credited, disputes)
  const sweepsAddresses = byFamily(network, { utxo: () => false, evm: () => true })
  if (!sweepsAddresses || !network.treasury?.automatic || row.user_reference === null) return null
  await dueNow(tx, row.address_id, row.coin)
  return {
    merchantId: row.merchant_id,
    network: row.network,
    coin: row.coin,
    id: row.address_id,
    title: `${row.coin} of ${row.address}`,
  }
}

/** Holds the deposit for the oldest dispute about it or its payment, which was raised before it was credited. */
async function holdDisputed(tx: Transaction, row: DepositRow, disputes: readonly Dispute[]): Promise<void> {
  const [oldest] = disputes
  if (!oldest) return
  const { network, coin, amount, id: depositId } = row
  const credited = { network, coin, owner: ownerOf(row), amount }
  await placeHolds(tx, oldest, [{ ...credited, depositId }], [credited])
}

/** Raises the exception of a deposit to a user's address that was never given to a user. */
async function raiseUnattributed(tx: Transaction, network: Network, row: DepositRow): Promise<NewEvent[]> {
  if (row.user_reference !== null) return []
  const [address] = await tx<{ kind: string }[]>`SELECT kind FROM addresses WHERE id = ${row.address_id}`
  if (address?.kind !== 'deposit') return []
  // After a reorg it is credited again, and its earlier attribution is booked.
  const [attributed] = await tx`
    SELECT FROM exceptions
    WHERE merchant_id = ${row.merchant_id} AND cause = ${`unattributed:${row.id}`} AND resolution = 're_attribute' LIMIT 1`
  if (attributed) return []
  const amount = formatAmount(row.amount, knownCoin(network, row.coin).decimals)
  return raiseExceptions(tx, [
    {
      merchantId: row.merchant_id,
      kind: 'unattributed',
      cause: `unattributed:${row.id}`,
      subject: { type: 'deposit', id: row.id },
      reason:
        'A deposit came to an address that belongs to no user; your own account has it until you attribute it',
      expected: 'a user',
      actual: 'none',
      paymentId: row.payment_id,
      evidence: {
        network: row.network,
        coin: row.coin,
        amount,
        address: row.address,
        transaction_hash: row.txid,
      },
    },
  ])
}

/** Closes what a reorg had raised about a deposit that is credited again. The sweeper closes a debt when it is paid. */
async function closeReverted(tx: Transaction, row: DepositRow): Promise<void> {
  if (row.epoch === 0) return
  const evidence = { deposit_status: row.status, block_hash: row.block_hash }
  await closeCause(tx, row.merchant_id, `reorged:${row.id}`, evidence)
}
