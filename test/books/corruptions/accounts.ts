/** Corruptions of accounts: their balances, their totals, and what they hold. */

import type { Transaction } from '../../../db/connect.js'
import { type Corruption, change, NUMBER, one } from './corruption.js'

const TOTALS = ['deposited', 'withdrawn', 'fees', 'transferred_in', 'transferred_out'] as const

const account = (tx: Transaction, id: string) =>
  one(
    tx,
    tx`SELECT id FROM ledger_accounts
       WHERE merchant_id = ${id} AND kind = 'available' AND owner <> '' AND version > 2 ORDER BY id`,
  )

/** A column of an open payout that the books hold. */
const held = (
  name: string,
  column: 'amount' | 'fee_limit',
  kind: 'withdrawal' | 'batch_part' | 'gas_funding',
  coin: 'btc' | 'eth' | 'usdt',
): Corruption => ({
  name,
  check: 'holds',
  says: [NUMBER, NUMBER],
  corrupt: async (tx, id) => {
    const payout = await one(
      tx,
      tx`SELECT id FROM payouts
         WHERE merchant_id = ${id} AND kind = ${kind} AND coin = ${coin}
           AND stage IN ('requested', 'pending_approval', 'approved', 'confirming') ORDER BY id`,
    )
    await change(tx`UPDATE payouts SET ${tx(column)} = ${tx(column)} + 1 WHERE id = ${payout}`)
  },
})

export const ACCOUNTS: readonly Corruption[] = [
  {
    name: 'a balance',
    check: 'balances',
    says: [NUMBER, NUMBER],
    corrupt: async (tx, id) =>
      change(tx`UPDATE ledger_accounts SET balance = balance - 1 WHERE id = ${await account(tx, id)}`),
  },
  {
    name: 'the balance after an entry',
    check: 'balances',
    says: [NUMBER, NUMBER],
    corrupt: async (tx, id) =>
      change(tx`
        UPDATE ledger_entries SET balance_after = balance_after - 1
        WHERE account_version = 1 AND account_id = ${await account(tx, id)}`),
  },
  {
    name: 'the version of an account',
    check: 'balances',
    says: [NUMBER, NUMBER],
    corrupt: async (tx, id) =>
      change(tx`UPDATE ledger_accounts SET version = version + 1 WHERE id = ${await account(tx, id)}`),
  },
  {
    name: 'a gap in the versions of the entries of an account',
    check: 'balances',
    says: [NUMBER, NUMBER],
    corrupt: async (tx, id) =>
      change(tx`
        UPDATE ledger_entries entry SET account_version = account_version + 1
        FROM ledger_accounts account
        WHERE account.id = ${await account(tx, id)} AND entry.account_id = account.id
          AND entry.account_version = account.version`),
  },
  ...TOTALS.map(
    (total): Corruption => ({
      name: `what an account has as ${total}`,
      check: 'totals',
      says: [NUMBER, NUMBER],
      corrupt: async (tx, id) =>
        change(tx`
          UPDATE ledger_accounts SET ${tx(total)} = ${tx(total)} + 1 WHERE id = ${await account(tx, id)}`),
    }),
  ),
  held('the amount of an open withdrawal', 'amount', 'withdrawal', 'btc'),
  held('the fee limit of an open withdrawal', 'fee_limit', 'withdrawal', 'btc'),
  held('the fee limit of an open withdrawal of a token', 'fee_limit', 'withdrawal', 'usdt'),
  held('the amount of an open part of a batch', 'amount', 'batch_part', 'usdt'),
  held('the fee limit of an open movement', 'fee_limit', 'gas_funding', 'eth'),
  {
    name: 'the amount that a dispute holds',
    check: 'holds',
    says: [NUMBER, NUMBER],
    corrupt: (tx, id) =>
      change(tx`
        UPDATE exception_holds SET amount = amount + 1 WHERE merchant_id = ${id} AND released_at IS NULL`),
  },
  {
    name: 'a hold that no dispute reserves any more',
    check: 'holds',
    says: [NUMBER, NUMBER],
    corrupt: (tx, id) =>
      change(tx`
        UPDATE exception_holds SET released_at = now() WHERE merchant_id = ${id} AND released_at IS NULL`),
  },
  {
    name: 'a dispute about money that the books do not hold',
    check: 'holds',
    says: ['0.00000005', '0'],
    corrupt: (tx, id) =>
      change(tx`
        INSERT INTO exception_holds (exception_id, merchant_id, network, coin, owner, amount, journal_id)
        VALUES ('exc_forged', ${id}, 'bitcoin', 'btc', 'someone without an account', 5, 0)`),
  },
]
