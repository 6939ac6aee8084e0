/** Checks that what is reserved equals what open payouts, deposits and disputes reserve. */

import { RESERVED_DEPOSITS } from '../../../../domain/deposits/deposit-sets.js'
import { OPEN_PAYOUTS } from '../../../../domain/payouts/stage-sets.js'
import { MOVEMENT_KINDS } from '../../../../domain/payouts/treasury.js'
import { members } from '../../../members.js'
import { accountName, type BooksCheck } from './check.js'

interface Hold {
  readonly network: string
  readonly coin: string
  readonly owner: string
  /** Base units: what open objects reserve, and what the entries of the account say. */
  readonly held: string
  readonly booked: string
  readonly differs: boolean
}

/** Rows that the server hands over at a time. */
const ROWS = 1_000

/**
 * The holds of an owner are spread over payouts, deposits and disputes, so this compares sums of the few open ones
 * with all accounts in one statement, whose rows a cursor hands over. A balance is taken from its last entry, so
 * that a wrong balance shows in the check `balances` alone.
 */
export const holds: BooksCheck = {
  name: 'holds',
  async *examine(tx, { merchantId, amount }, findings) {
    const rows = tx<Hold[]>`
      WITH open_payout AS MATERIALIZED (
        SELECT network, coin, amount, fee_coin, fee_limit, fee_payer, coalesce(user_reference, '') AS holder,
               kind = ANY (${[...MOVEMENT_KINDS]}) AS moves
        FROM payouts WHERE merchant_id = ${merchantId} AND stage IN ${members(tx, OPEN_PAYOUTS)}
      ), reserved AS (
        SELECT network, coin, owner, sum(amount) AS held
        FROM (
          SELECT network, coin, coalesce(user_reference, '') AS owner, amount FROM deposits
          WHERE merchant_id = ${merchantId} AND status IN ${members(tx, RESERVED_DEPOSITS)} AND status <> 'success'
            AND refunded_by IS NULL
          UNION ALL
          SELECT network, coin, holder, amount FROM open_payout WHERE NOT moves
          UNION ALL
          -- The fee of a movement, and of a token, is the merchant's own.
          SELECT network, fee_coin, CASE WHEN moves OR coin <> fee_coin THEN '' ELSE holder END, fee_limit
          FROM open_payout WHERE moves OR fee_payer = 'sender'
          UNION ALL
          SELECT network, coin, owner, amount FROM exception_holds
          WHERE merchant_id = ${merchantId} AND released_at IS NULL
        ) each
        GROUP BY network, coin, owner
      ), account AS (
        SELECT account.network, account.coin, account.owner, coalesce(newest.balance_after, 0) AS balance
        FROM ledger_accounts account LEFT JOIN LATERAL (
          SELECT balance_after FROM ledger_entries
          WHERE account_id = account.id ORDER BY account_version DESC LIMIT 1
        ) newest ON true
        WHERE account.merchant_id = ${merchantId} AND account.kind = 'reserved'
      )
      SELECT network, coin, owner, coalesce(held, 0)::text AS held, (-coalesce(balance, 0))::text AS booked,
             coalesce(held, 0) <> -coalesce(balance, 0) AS differs
      FROM account FULL JOIN reserved USING (network, coin, owner)`
    for await (const page of rows.cursor(ROWS)) {
      for (const { network, coin, owner, held, booked, differs } of page) {
        if (!differs) continue
        const account = accountName('reserved', owner)
        findings.differ({
          subject: { type: 'account', id: account },
          account,
          network,
          coin,
          expected: amount(network, coin, held),
          actual: amount(network, coin, booked),
          reason: 'What is reserved is not what open withdrawals, batches, deposits and disputes reserve',
        })
      }
      yield page.length
    }
  },
}
