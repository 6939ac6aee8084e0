/** Moves the payments whose deposits just changed, in the transaction of that change. */

import { formatAmount } from '../../domain/money.js'
import type { Transaction } from '../connect.js'
import type { NewEvent } from '../events/log/append-events.js'
import { exceptionEvent } from '../events/log/raise-exception.js'
import { type DepositOfPayment, depositsOfPayments } from './deposits-of-payments.js'
import { type LockedPayment, lockPayments } from './payment-row.js'
import { evaluate, savePayment } from './save-payment.js'

/** What a change of a deposit has to say. */
export interface ChangedDeposit {
  readonly id: string
  readonly payment_id: string | null
  readonly detected_at: Date
  readonly updated_at: Date
}

/**
 * Computes each payment of the deposits again and writes those that changed. Deposits without a payment cost
 * nothing.
 *
 * @param changed - Deposits as they were written, in this transaction and before this call.
 * @param kind - What changed the deposits: the chain as it grew, or a reorg.
 * @returns Events, which the caller appends after those of the deposits.
 */
export async function followDeposits(
  tx: Transaction,
  changed: readonly ChangedDeposit[],
  kind: 'deposit' | 'reorg' = 'deposit',
): Promise<NewEvent[]> {
  const causes = new Map<string, ChangedDeposit>()
  for (const row of changed) if (row.payment_id !== null) causes.set(row.payment_id, row)
  if (causes.size === 0) return []
  const payments = await lockPayments(tx, [...causes.keys()])
  const deposits = await depositsOfPayments(tx, [...causes.keys()])
  const events: NewEvent[] = []
  for (const payment of payments) {
    const own = deposits.get(payment.id) ?? []
    const value = evaluate(payment, own)
    const id = causes.get(payment.id)?.id ?? null
    const { event, row } = await savePayment(tx, payment, own, value, { kind, id })
    if (event) events.push(event)
    const isNew = (flag: (typeof row.flags)[number]) =>
      row.flags.includes(flag) && !payment.flags.includes(flag)
    // A person examines each late deposit, also the second one.
    const late = own.filter((each) => isFresh(changed, each.id) && isLate(payment, each))
    for (const each of late) events.push(exception(payment, 'late', each))
    if (isNew('wrong_coin')) {
      const other = own.find((each) => each.coin !== payment.coin)
      if (other) events.push(exception(payment, 'wrong_coin', other))
    }
    if (isNew('reorged'))
      events.push(
        exception(
          payment,
          'reorged',
          own.find((each) => each.id === id),
        ),
      )
  }
  return events
}

/** Whether this transaction saw the deposit for the first time. */
function isFresh(changed: readonly ChangedDeposit[], id: string): boolean {
  const row = changed.find((each) => each.id === id)
  return row !== undefined && row.detected_at.getTime() === row.updated_at.getTime()
}

function isLate(payment: LockedPayment, deposit: DepositOfPayment): boolean {
  if (deposit.coin !== payment.coin) return false
  return payment.status === 'cancelled' || deposit.detected_at >= payment.expires_at
}

const MESSAGES = {
  late: 'This deposit was first seen after its payment had ended; it is credited to the user, and the payment stays as it is',
  wrong_coin:
    'Another coin was sent to the address of this payment; it is credited to the user and does not count for the payment',
  reorged: 'The chain took back a payment that was confirmed',
} as const

function exception(
  payment: LockedPayment,
  kind: keyof typeof MESSAGES,
  deposit: DepositOfPayment | undefined,
): NewEvent {
  return exceptionEvent({
    merchantId: payment.merchant_id,
    kind,
    severity: kind === 'reorged' ? 'critical' : 'warning',
    subject: payment.id,
    facts: {
      message: MESSAGES[kind],
      payment_id: payment.id,
      order_id: payment.order_id,
      user_reference: payment.user_reference,
      network: payment.network,
      ...(deposit
        ? {
            deposit_id: deposit.id,
            transaction_hash: deposit.txid,
            coin: deposit.coin,
            amount: formatAmount(
              deposit.amount,
              deposit.coin === payment.coin ? payment.decimals : (deposit.decimals ?? 0),
            ),
          }
        : {}),
    },
  })
}
