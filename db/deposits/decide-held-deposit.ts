/**
 * Stores a person's decision about a held deposit: a release credits it, once; a rejection keeps it from
 * becoming available.
 */

import { findNetwork, knownCoin, type Networks } from '../../domain/chain/network.js'
import { KeyturnError } from '../../domain/errors.js'
import { formatAmount } from '../../domain/money.js'
import { appendAudit } from '../audit/append-audit.js'
import { raiseExceptions } from '../books/exceptions/raise-exception.js'
import type { Transaction } from '../connect.js'
import { appendEvents } from '../events/log/append-events.js'
import { readHeight } from '../networks/chain-cursor.js'
import { followDeposits } from '../payments/follow-deposits.js'
import { bookCredit } from './book-credit.js'
import type { DepositDecision, DepositRow } from './deposit-row.js'
import { selectDeposits } from './deposit-row.js'
import { depositEvent } from './deposit-view.js'

export interface HeldDecision {
  readonly merchantId: string
  readonly id: string
  /** Mining of the deposit that is meant. Absent: the current one. */
  readonly epoch?: number
  /** Id of the person or, without one, of the API key. */
  readonly by: string
  readonly reason: string
  /** Name of the decider in the audit log. */
  readonly actor: string
}

/**
 * Credits a held deposit with journal, audit and events.
 *
 * @throws KeyturnError `NOT_FOUND`; `INVALID_STATE` if it is not held, or was rejected.
 */
export async function releaseDeposit(tx: Transaction, networks: Networks, ask: HeldDecision): Promise<void> {
  const row = await lockHeld(tx, ask)
  const network = findNetwork(networks, row.network)
  const { height, now } = await readHeight(tx, row.network)
  const decided = await storeDecision(tx, row, ask, 'release', now)
  await bookCredit(tx, network, decided, height, {
    cause: `Released by ${ask.by}: ${ask.reason}`,
    actor: ask.actor,
    action: 'deposit.released',
    audit: { reason: ask.reason },
  })
}

/**
 * Keeps a held deposit from becoming available, permanently. A withdrawal with all its controls returns the
 * money to its sender. The deposit no longer counts for its payment.
 *
 * @throws KeyturnError as `releaseDeposit`.
 */
export async function rejectDeposit(tx: Transaction, networks: Networks, ask: HeldDecision): Promise<void> {
  const row = await lockHeld(tx, ask)
  const network = findNetwork(networks, row.network)
  const { height, now } = await readHeight(tx, row.network)
  const decided = await storeDecision(tx, row, ask, 'reject', now)
  const facts = {
    reason: ask.reason,
    rejected_by: ask.by,
    network: row.network,
    coin: row.coin,
    amount: formatAmount(row.amount, knownCoin(network, row.coin).decimals),
    user_reference: row.user_reference,
    transaction_hash: row.txid,
    sources: row.sources,
  }
  await appendAudit(tx, {
    merchantId: row.merchant_id,
    actor: ask.actor,
    action: 'deposit.rejected',
    subject: row.id,
    data: facts,
  })
  await appendEvents(tx, [
    depositEvent(network, decided, height, row.status),
    ...(await raiseExceptions(tx, [
      {
        merchantId: row.merchant_id,
        kind: 'rejected_deposit',
        cause: `rejected_deposit:${row.id}:${row.epoch}`,
        subject: { type: 'deposit', id: row.id },
        reason: 'This deposit was rejected and stays held; what goes back to its sender goes by a withdrawal',
        expected: 'accepted',
        actual: 'rejected',
        paymentId: row.payment_id,
        userReference: row.user_reference,
        evidence: facts,
      },
    ])),
    ...(await followDeposits(tx, [decided])),
  ])
}

/** Locks a deposit that waits for a decision. @throws KeyturnError as `releaseDeposit`. */
export async function lockHeld(
  tx: Transaction,
  { merchantId, id, epoch }: HeldDecision,
): Promise<DepositRow> {
  const [row] = await tx<DepositRow[]>`
    ${selectDeposits(tx)} WHERE deposit.id = ${id} AND deposit.merchant_id = ${merchantId} FOR UPDATE OF deposit`
  if (!row) {
    throw new KeyturnError('NOT_FOUND', 'There is no such deposit; check the id', { details: { id } })
  }
  const rejected = row.decision?.epoch === row.epoch
  const meant = epoch === undefined || epoch === row.epoch
  if (row.status === 'held' && !rejected && meant) return row
  throw new KeyturnError(
    'INVALID_STATE',
    row.status === 'held'
      ? 'This deposit was rejected; pay its amount back with a withdrawal'
      : `Only a held deposit is released or rejected; this one is ${row.status}`,
    { details: { id, status: row.status } },
  )
}

async function storeDecision(
  tx: Transaction,
  row: DepositRow,
  { by, reason }: HeldDecision,
  verdict: DepositDecision['verdict'],
  at: Date,
): Promise<DepositRow> {
  const decision: DepositDecision = { verdict, by, reason, at: at.toISOString(), epoch: row.epoch }
  await tx`
    UPDATE deposits SET decision = ${tx.json({ ...decision })}, updated_at = ${at} WHERE id = ${row.id}`
  return { ...row, decision, updated_at: at }
}
