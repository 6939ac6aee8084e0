/** Reverts deposits whose block left the chain: compensating journals, once, with their events. */

import { assertNever } from '../../domain/assert-never.js'
import { knownCoin, type Network } from '../../domain/chain/network.js'
import { formatAmount } from '../../domain/money.js'
import { appendAudit } from '../audit/append-audit.js'
import { closeCauses } from '../books/exceptions/close-cause.js'
import { raiseExceptions } from '../books/exceptions/raise-exception.js'
import { type AccountKind, type Journal, postJournals } from '../books/ledger/post-journal.js'
import type { Transaction } from '../connect.js'
import type { NewEvent } from '../events/log/append-events.js'
import { followDeposits } from '../payments/follow-deposits.js'
import { type BalanceDelta, balanceEvent } from './balance-event.js'
import { ownerOf } from './deposit-journal.js'
import type { DepositRow } from './deposit-row.js'
import { depositEvent } from './deposit-view.js'
import { moveDeposit } from './move-deposit.js'
import { saveDeposits } from './save-deposits.js'

/**
 * Moves locked deposits to `reverted` in a new epoch, and reverses each of their standing journals. If the
 * user has spent the money meanwhile, his balance becomes negative. That is possible here alone, and raises
 * an exception.
 *
 * @param height - Height of the fork.
 * @param now - Time of the database, for the deposits that were not booked.
 * @returns The events, which the caller appends in the same transaction.
 */
export async function revertDeposits(
  tx: Transaction,
  network: Network,
  rows: readonly DepositRow[],
  height: number,
  now: Date,
): Promise<NewEvent[]> {
  const booked = await reverseJournals(tx, rows)
  const refunded = rows.filter((row) => row.refunded_by !== null)
  await tx`UPDATE deposits SET refunded_by = NULL WHERE id = ANY (${refunded.map((row) => row.id)})`
  const pairs = rows.map((before) => ({
    before,
    after: moveDeposit(
      before,
      'reverted',
      booked.get(before.id) ?? now,
      `Block ${before.block_number} left the chain`,
      {
        epoch: before.epoch + 1,
        block_number: null,
        block_hash: null,
        block_time: null,
        target_height: null,
        signalled_at: null,
        confirmed_at: null,
        credited_at: null,
      },
    ),
  }))
  await saveDeposits(
    tx,
    pairs.map((pair) => pair.after),
  )

  const events: NewEvent[] = []
  for (const { before, after } of pairs) {
    events.push(depositEvent(network, after, height, before.status))
    const delta = undone(before)
    if (!delta) continue
    events.push(await balanceEvent(tx, network, after, delta))
    await appendAudit(tx, {
      merchantId: before.merchant_id,
      actor: 'system:chain-watcher',
      action: 'deposit.reverted',
      subject: before.id,
      data: {
        status: before.status,
        network: before.network,
        transaction_hash: before.txid,
        block_hash: before.block_hash,
        amount: formatAmount(before.amount, knownCoin(network, before.coin).decimals),
        coin: before.coin,
      },
    })
  }
  const payments = await followDeposits(
    tx,
    pairs.map((pair) => pair.after),
    'reorg',
  )
  await closeCauses(
    tx,
    rows.flatMap(({ merchant_id: merchantId, id, epoch }) =>
      [`unattributed:${id}`, `rejected_deposit:${id}:${epoch}`].map((cause) => ({
        merchantId,
        cause,
        evidence: { reverted_above: height },
      })),
    ),
  )
  return [...events, ...payments, ...(await raiseLost(tx, network, rows))]
}

/** Returns the change that the reversal makes at the address. `null` if nothing was booked. */
function undone({ status, amount, refunded_by: refundedBy }: DepositRow): BalanceDelta | null {
  // What was held had become the merchant's own.
  if (refundedBy !== null) return { available: -amount, blockchain: -amount, reserved: 0n }
  switch (status) {
    case 'success':
      return { available: -amount, blockchain: -amount, reserved: 0n }
    case 'confirmed':
    case 'screening_requested':
    case 'held':
      return { available: 0n, blockchain: -amount, reserved: -amount }
    case 'detected':
    case 'unconfirmed':
    case 'reverted':
    case 'replaced':
      return null
    default:
      return assertNever(status)
  }
}

/**
 * Posts the mirror image of every standing journal of the deposits, newest first, in one round trip a
 * merchant.
 *
 * @returns The time of the reversal of each deposit that was booked.
 */
async function reverseJournals(tx: Transaction, rows: readonly DepositRow[]): Promise<Map<string, Date>> {
  const entries = await tx<
    {
      journal_id: bigint
      merchant_id: string
      key: string
      reference: string
      network: string
      coin: string
      kind: AccountKind
      owner: string
      amount: bigint
    }[]
  >`
    SELECT journal.id AS journal_id, journal.merchant_id, journal.idempotency_key AS key, journal.reference,
           account.network, account.coin, account.kind, account.owner, -entry.amount AS amount
    FROM unnest(${rows.map((row) => row.merchant_id)}::text[], ${rows.map((row) => row.id)}::text[]) AS deposit (merchant_id, id)
    JOIN ledger_journals journal ON journal.merchant_id = deposit.merchant_id AND journal.reference = deposit.id
    JOIN ledger_entries entry ON entry.journal_id = journal.id
    JOIN ledger_accounts account ON account.id = entry.account_id
    WHERE journal.reverses IS NULL AND NOT EXISTS (SELECT 1 FROM ledger_journals undo WHERE undo.reverses = journal.id)
    ORDER BY journal.id DESC, entry.account_id, entry.account_version`
  const byMerchant = new Map<string, Map<bigint, Omit<Journal, 'merchantId'>>>()
  for (const entry of entries) {
    const journals = byMerchant.get(entry.merchant_id) ?? new Map<bigint, Omit<Journal, 'merchantId'>>()
    byMerchant.set(entry.merchant_id, journals)
    const journal = journals.get(entry.journal_id)
    const line = {
      network: entry.network,
      coin: entry.coin,
      kind: entry.kind,
      owner: entry.owner,
      amount: entry.amount,
    }
    journals.set(entry.journal_id, {
      idempotencyKey: `${entry.key}:reverted`,
      type: 'deposit.reverted',
      reference: entry.reference,
      reverses: entry.journal_id,
      entries: [...(journal?.entries ?? []), line],
    })
  }
  const times = new Map<string, Date>()
  for (const [merchantId, journals] of byMerchant) {
    const undone = [...journals.values()]
    const posted = await postJournals(tx, merchantId, undone, { allowOverdraft: true })
    for (const [index, { at }] of posted.entries()) times.set(undone[index]?.reference ?? '', at)
  }
  return times
}

/**
 * Raises an exception for each credited deposit that the chain took back, unless it is that of its payment, or of the
 * debt that it leaves.
 */
async function raiseLost(
  tx: Transaction,
  network: Network,
  rows: readonly DepositRow[],
): Promise<NewEvent[]> {
  const credited = rows.filter((row) => row.status === 'success')
  if (credited.length === 0) return []
  const owing = await debts(tx, network, credited)
  const named = new Set(owing.flatMap((debt) => debt.evidence.deposits))
  const payments = await tx<{ id: string }[]>`
    SELECT subject_id AS id FROM exceptions
    WHERE merchant_id = ANY (${credited.map((row) => row.merchant_id)}) AND status <> 'resolved'
      AND cause = ANY (${credited.map((row) => `reorged:${row.payment_id}`)})`
  const reported = new Set(payments.map((payment) => payment.id))
  const lost = credited
    .filter((row) => !named.has(row.id) && !reported.has(row.payment_id ?? ''))
    .map((row) => ({
      merchantId: row.merchant_id,
      kind: 'reorged' as const,
      detail: 'deposit.reverted',
      cause: `reorged:${row.id}`,
      subject: { type: 'deposit', id: row.id },
      reason: 'The chain took back a deposit that was credited; it is credited again when it is mined again',
      expected: 'success',
      actual: 'reverted',
      paymentId: row.payment_id,
      userReference: row.user_reference,
      evidence: {
        network: row.network,
        coin: row.coin,
        amount: formatAmount(row.amount, knownCoin(network, row.coin).decimals),
        transaction_hash: row.txid,
        block_hash: row.block_hash,
      },
    }))
  return raiseExceptions(tx, [...owing, ...lost])
}

/**
 * Returns an exception for each user who owes something now: the available balance is below zero by more than disputes
 * hold of it.
 */
async function debts(tx: Transaction, network: Network, rows: readonly DepositRow[]) {
  const credited = rows.filter((row) => row.user_reference !== null)
  if (credited.length === 0) return []
  const accounts = await tx<{ merchant_id: string; coin: string; owner: string; balance: bigint }[]>`
    SELECT account.merchant_id, account.coin, account.owner, account.balance
    FROM ledger_accounts account
    CROSS JOIN LATERAL (
      SELECT coalesce(sum(hold.amount), 0) AS amount FROM exception_holds hold
      WHERE hold.merchant_id = account.merchant_id AND hold.network = account.network AND hold.coin = account.coin
        AND hold.owner = account.owner AND hold.released_at IS NULL
    ) held
    WHERE account.network = ${network.name} AND account.kind = 'available' AND account.balance > held.amount
      AND account.merchant_id = ANY (${credited.map((row) => row.merchant_id)})
      AND account.owner = ANY (${credited.map(ownerOf)})`
  return accounts.flatMap((account) => {
    const causes = credited.filter(
      (row) =>
        row.merchant_id === account.merchant_id &&
        row.coin === account.coin &&
        ownerOf(row) === account.owner,
    )
    const [first] = causes
    if (!first) return []
    const available = formatAmount(-account.balance, knownCoin(network, account.coin).decimals)
    return [
      {
        merchantId: account.merchant_id,
        kind: 'reorged' as const,
        detail: 'deposit.reverted_after_spend',
        cause: `debt:${network.name}:${account.coin}:${account.owner}`,
        severity: 'critical' as const,
        subject: { type: 'deposit', id: first.id },
        reason: 'The chain took back money that was spent already; the user owes it',
        expected: '0',
        actual: available,
        paymentId: first.payment_id,
        userReference: account.owner,
        evidence: {
          network: network.name,
          coin: account.coin,
          available,
          deposits: causes.map((row) => row.id),
        },
      },
    ]
  })
}
