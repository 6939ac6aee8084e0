/**
 * Books that a rejected deposit was paid back. The merchant's own account paid the refund, so what was held for the
 * deposit becomes its own, and nothing stays reserved.
 */

import { appendAudit } from '../audit/append-audit.js'
import { balanceChanged } from '../books/balances/balance-changed.js'
import { type Journal, postJournal } from '../books/ledger/post-journal.js'
import { reverseJournal } from '../books/ledger/reverse-journal.js'
import type { Transaction } from '../connect.js'
import { appendEvents } from '../events/log/append-events.js'

/** Refund that was confirmed. */
interface Refund {
  readonly id: string
  readonly merchant_id: string
  /** Number of times that a reorg opened it again. */
  readonly reopened: number
}

interface Rejected {
  readonly network: string
  readonly coin: string
  readonly owner: string
  readonly amount: bigint
  readonly epoch: number
  readonly decimals: number
}

const ACTOR = 'system:withdrawal'

/**
 * Moves the amount from the user's `reserved` to the merchant's own account. Does nothing if the deposit is not held
 * and rejected any more, or was paid back before.
 *
 * @param depositId - Deposit that the caller has locked, or its refund's exception.
 */
export async function bookRefund(tx: Transaction, depositId: string, refund: Refund): Promise<void> {
  const [deposit] = await tx<Rejected[]>`
    UPDATE deposits deposit SET refunded_by = ${refund.id}
    WHERE id = ${depositId} AND merchant_id = ${refund.merchant_id} AND status = 'held' AND refunded_by IS NULL
      AND decision ->> 'verdict' = 'reject' AND (decision ->> 'epoch')::integer = epoch
    RETURNING network, coin, coalesce(user_reference, '') AS owner, amount, epoch, coalesce((
      SELECT decimals FROM known_coins known WHERE known.network = deposit.network AND known.name = deposit.coin), 0) AS decimals`
  if (!deposit) return
  const { network, coin, owner, amount, epoch } = deposit
  const journal: Journal = {
    merchantId: refund.merchant_id,
    idempotencyKey: `deposit:${depositId}:${epoch}:refunded:${refund.id}:${refund.reopened}`,
    type: 'deposit.refunded',
    // A reorg that takes the deposit back reverses all journals of it.
    reference: depositId,
    entries: [
      { network, coin, kind: 'reserved', owner, amount },
      { network, coin, kind: 'available', owner: '', amount: -amount },
    ],
  }
  await postJournal(tx, journal)
  await report(tx, depositId, refund, deposit, amount)
  await appendAudit(tx, {
    merchantId: refund.merchant_id,
    actor: ACTOR,
    action: 'deposit.refunded',
    subject: depositId,
    data: { withdrawal_id: refund.id },
  })
}

/** Holds the deposit again, because a reorg took back the end of its refund. */
export async function unbookRefund(tx: Transaction, depositId: string, refund: Refund): Promise<void> {
  const [deposit] = await tx<Rejected[]>`
    UPDATE deposits deposit SET refunded_by = NULL
    WHERE id = ${depositId} AND merchant_id = ${refund.merchant_id} AND refunded_by = ${refund.id}
    RETURNING network, coin, coalesce(user_reference, '') AS owner, amount, epoch, coalesce((
      SELECT decimals FROM known_coins known WHERE known.network = deposit.network AND known.name = deposit.coin), 0) AS decimals`
  if (!deposit) return
  const key = `deposit:${depositId}:${deposit.epoch}:refunded:${refund.id}:${refund.reopened}`
  const [journal] = await tx<{ id: bigint }[]>`
    SELECT id FROM ledger_journals WHERE merchant_id = ${refund.merchant_id} AND idempotency_key = ${key}`
  if (!journal) throw new Error(`The refund ${refund.id} of ${depositId} was not booked`)
  await reverseJournal(tx, {
    merchantId: refund.merchant_id,
    journalId: journal.id,
    idempotencyKey: `${key}:reverted`,
    type: 'deposit.refund_reverted',
    reference: depositId,
  })
  await report(tx, depositId, refund, deposit, -deposit.amount)
}

async function report(
  tx: Transaction,
  depositId: string,
  refund: Refund,
  { network, coin, owner, decimals }: Rejected,
  amount: bigint,
): Promise<void> {
  const shared = { merchantId: refund.merchant_id, network, coin, decimals, subject: depositId }
  const party = owner === '' ? null : owner
  const changes =
    party === null
      ? [{ ...shared, party, available: amount, reserved: -amount }]
      : [
          { ...shared, party, available: 0n, reserved: -amount },
          { ...shared, party: null, available: amount, reserved: 0n },
        ]
  await appendEvents(tx, await Promise.all(changes.map((change) => balanceChanged(tx, change))))
}
