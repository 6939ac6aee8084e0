/** Corruptions of deposits, and of the payments that they pay. */

import type { Transaction } from '../../../db/connect.js'
import { betweenUsers, type Corruption, change, forge, NUMBER, one, report, TEXT } from './corruption.js'

const deposit = (tx: Transaction, id: string, status: 'success' | 'held') =>
  one(
    tx,
    tx`SELECT id FROM deposits
       WHERE merchant_id = ${id} AND status = ${status} AND payment_id IS NULL AND refunded_by IS NULL ORDER BY id`,
  )

/** Gives a deposit a status that its journals do not have. Its event shows it. */
const status = (
  from: 'success' | 'held',
  to: string,
  says: Corruption['says'],
  also: NonNullable<Corruption['also']> = {},
): Corruption => ({
  name: `the status ${to} of a deposit that is booked as ${from}`,
  check: 'deposits',
  says,
  also,
  corrupt: async (tx, id) => {
    const found = await deposit(tx, id, from)
    await change(tx`UPDATE deposits SET status = ${to} WHERE id = ${found}`)
    await report(tx, found, 'deposit.status_changed', to)
  },
})

const RESERVED = { holds: 'The deposit counts among what is reserved' }

export const DEPOSITS: readonly Corruption[] = [
  {
    name: 'the amount of a credited deposit',
    check: 'deposits',
    says: [NUMBER, NUMBER],
    corrupt: async (tx, id) =>
      change(tx`UPDATE deposits SET amount = amount + 1 WHERE id = ${await deposit(tx, id, 'success')}`),
  },
  {
    name: 'the amount of a deposit that is held',
    check: 'deposits',
    says: [NUMBER, NUMBER],
    also: RESERVED,
    corrupt: async (tx, id) =>
      change(tx`UPDATE deposits SET amount = amount + 1 WHERE id = ${await deposit(tx, id, 'held')}`),
  },
  status('success', 'reverted', ['0', NUMBER]),
  status('success', 'held', [NUMBER, '0'], RESERVED),
  status('held', 'success', ['0', NUMBER], RESERVED),
  {
    name: 'a refund of a deposit that is not booked',
    check: 'deposits',
    says: ['0', NUMBER],
    also: RESERVED,
    corrupt: async (tx, id) =>
      change(tx`UPDATE deposits SET refunded_by = 'wdr' WHERE id = ${await deposit(tx, id, 'held')}`),
  },
  {
    name: 'a credit of a deposit that does not exist',
    check: 'deposits',
    says: [null, '0.00000009'],
    corrupt: async (tx, id) =>
      forge(tx, id, { type: 'deposit.success', reference: 'dep_ghost' }, await betweenUsers(tx, id)),
  },
  {
    name: 'the block of a deposit',
    check: 'blocks',
    says: [TEXT, 'of another chain'],
    corrupt: async (tx, id) =>
      change(tx`
        UPDATE deposits SET block_hash = 'of another chain' WHERE id = ${await deposit(tx, id, 'success')}`),
  },
  {
    name: 'a mined deposit that names no block',
    check: 'blocks',
    says: [TEXT, null],
    corrupt: async (tx, id) =>
      change(tx`UPDATE deposits SET block_hash = NULL WHERE id = ${await deposit(tx, id, 'held')}`),
  },
  ...(['amount_detected', 'amount_confirmed'] as const).map(
    (sum): Corruption => ({
      name: `the ${sum} of a payment`,
      check: 'payments',
      says: [NUMBER, NUMBER],
      corrupt: async (tx, id) =>
        change(tx`
          UPDATE payments SET ${tx(sum)} = ${tx(sum)} + 1
          WHERE id = ${await one(tx, tx`SELECT id FROM payments WHERE merchant_id = ${id} ORDER BY id`)}`),
    }),
  ),
  {
    name: 'a payment that was seen and is not credited in time',
    check: 'lifecycle',
    says: ['confirmed', 'paid'],
    corrupt: async (tx, id) => {
      const payment = await one(tx, tx`SELECT id FROM payments WHERE merchant_id = ${id} ORDER BY id`)
      await change(tx`
        UPDATE payments SET status = 'paid', paid_at = now() - interval '2 hours' WHERE id = ${payment}`)
      await report(tx, payment, 'payment.status_changed', 'paid')
    },
  },
]
