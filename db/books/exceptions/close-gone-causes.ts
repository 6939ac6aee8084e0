/** Closes exceptions whose cause has ended elsewhere: what is accepted, paid or started after all. */

import type { PendingQuery, Row } from 'postgres'
import { FINAL_PAYOUTS } from '../../../domain/payouts/stage-sets.js'
import { inTransaction, type Queryable, type Sql, type Transaction } from '../../connect.js'
import { members } from '../../members.js'
import { STUCK_ALERTS } from '../../operations/alerts/raise-alert.js'
import { closeCauses } from './close-cause.js'

/**
 * Exceptions of each kind that one sweep closes. The next sweep takes the next ones. Merchants take turns, so that
 * one with many, or with many that a person works on, does not keep those of others open.
 */
const BATCH = 500

/**
 * Looks at the standing exceptions and at what they are about. The changes themselves do not close them, because
 * deliveries and payouts are many and exceptions are few.
 *
 * @returns How many were closed.
 */
export async function closeGoneCauses(sql: Sql): Promise<number> {
  let closed = 0
  for (const find of FINDERS) {
    const gone = await takeTurns(sql, find)
    if (gone.length === 0) continue
    closed += await inTransaction(sql, async (tx) => {
      const ids = await lockAtOnce(tx, gone)
      // Under the locks, because what was gone may have come back meanwhile.
      const still = await tx<Gone[]>`${find(tx, tx`${standing(tx)} AND exception.id = ANY (${ids})`, true)}`
      return closeCauses(
        tx,
        still.map(({ merchant_id: merchantId, cause, evidence }) => ({ merchantId, cause, evidence })),
      )
    })
  }
  return closed
}

/** Returns what is gone: the oldest of each merchant, then the second of each, until there are enough. */
async function takeTurns(sql: Sql, find: Finder): Promise<readonly Gone[]> {
  return sql<Gone[]>`
    SELECT gone.* FROM (${find(sql, standing(sql), false)}) gone
    ORDER BY row_number() OVER (PARTITION BY gone.merchant_id ORDER BY gone.id), gone.id LIMIT ${BATCH}`
}

/** Holds for exceptions that evidence closes. While a refund is under way, a person decides. */
function standing(sql: Queryable): PendingQuery<Row[]> {
  return sql`exception.status <> 'resolved' AND exception.withdrawal_id IS NULL`
}

/**
 * Locks what no other transaction holds, with the payments. A person may work on an exception, and the sweeper, which
 * serves all merchants, does not wait for one. The next sweep finds the rest again.
 *
 * @returns The ids of those that are locked, with all that have the same cause.
 */
async function lockAtOnce(tx: Transaction, gone: readonly Gone[]): Promise<string[]> {
  const rows = await tx<{ id: string }[]>`
    WITH named AS (
      SELECT exception.id, exception.payment_id, gone.id AS gone_id
      FROM exceptions exception
      JOIN unnest(
        ${gone.map((each) => each.id)}::text[], ${gone.map((each) => each.merchant_id)}::text[],
        ${gone.map((each) => each.cause)}::text[]
      ) AS gone (id, merchant_id, cause) ON (exception.merchant_id, exception.cause) = (gone.merchant_id, gone.cause)
      WHERE exception.cause_gone_at IS NULL
    ), paid AS (
      SELECT id FROM payments WHERE id IN (SELECT payment_id FROM named) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
    ), locked AS (
      SELECT id FROM exceptions WHERE id IN (SELECT id FROM named) ORDER BY id FOR UPDATE SKIP LOCKED
    )
    SELECT named.gone_id AS id
    FROM named LEFT JOIN locked USING (id) LEFT JOIN paid ON paid.id = named.payment_id
    GROUP BY named.gone_id
    HAVING bool_and(locked.id IS NOT NULL AND (named.payment_id IS NULL OR paid.id IS NOT NULL))`
  return rows.map(({ id }) => id)
}

interface Gone {
  readonly id: string
  readonly merchant_id: string
  readonly cause: string
  readonly evidence: Readonly<Record<string, unknown>>
}

/**
 * Finds exceptions whose cause has ended.
 *
 * @param standing - Condition on `exception`.
 * @param locks - Whether what changes the cause is locked, and what another transaction has locked is left out.
 */
type Finder = (sql: Queryable, standing: PendingQuery<Row[]>, locks: boolean) => PendingQuery<Row[]>

const FINDERS: readonly Finder[] = [
  // Webhooks that were accepted after all.
  (sql, standing) => sql`
    SELECT exception.id, exception.merchant_id, exception.cause,
           jsonb_build_object('delivery_status', delivery.status, 'delivered_at', delivery.delivered_at) AS evidence
    FROM exceptions exception JOIN webhook_deliveries delivery ON delivery.id = exception.subject_id
    WHERE exception.kind = 'webhook_exhausted' AND ${standing} AND delivery.status = 'delivered'`,
  // What an alert called stuck, and no alert does any more.
  (sql, standing) => sql`
    SELECT exception.id, exception.merchant_id, exception.cause, jsonb_build_object('alerts', 0) AS evidence
    FROM exceptions exception
    WHERE exception.kind = 'stuck' AND ${standing} AND exception.detail = ANY (${[...STUCK_ALERTS]})
      AND NOT EXISTS (
        SELECT FROM alerts
        WHERE alerts.subject = exception.subject_id AND alerts.merchant_id = exception.merchant_id
          AND alerts.kind = ANY (${[...STUCK_ALERTS]}) AND alerts.cleared_at IS NULL)`,
  // Payouts that ended after all: unanswered requests, and what a reorg had taken back.
  (sql, standing) => sql`
    SELECT exception.id, exception.merchant_id, exception.cause, jsonb_build_object('stage', payout.stage) AS evidence
    FROM exceptions exception JOIN payouts payout ON payout.id = exception.subject_id
    WHERE exception.kind IN ('stuck', 'reorged') AND ${standing}
      AND exception.detail IN (
        'signing_request.unanswered', 'transaction.reverted_after_final', 'withdrawal.conflict_reverted')
      AND payout.stage IN ${members(sql, FINAL_PAYOUTS)}
      -- What had paid and was taken back has to pay again.
      AND (exception.detail <> 'transaction.reverted_after_final' OR payout.stage = 'confirmed'
        OR NOT payout.history @> '[{"stage": "confirmed"}]')`,
  // Payments that were confirmed after all, or are paid no more.
  (sql, standing) => sql`
    SELECT exception.id, exception.merchant_id, exception.cause, jsonb_build_object('payment_status', payment.status) AS evidence
    FROM exceptions exception JOIN payments payment ON payment.id = exception.payment_id
    WHERE exception.kind = 'paid_not_confirmed' AND ${standing} AND payment.status <> 'paid'`,
  // Orders whose payment has its money after all, while no other payment of theirs waits for it.
  (sql, standing) => sql`
    SELECT exception.id, exception.merchant_id, exception.cause, jsonb_build_object('payment_status', payment.status) AS evidence
    FROM exceptions exception JOIN payments payment ON payment.id = exception.payment_id
    WHERE exception.kind = 'stuck' AND ${standing} AND exception.subject_type = 'order'
      AND payment.status IN ('paid', 'confirmed')
      AND NOT EXISTS (
        SELECT FROM payments other
        WHERE other.merchant_id = exception.merchant_id AND other.order_id = exception.subject_id
          AND other.status = 'pending')`,
  // Deposits whose transaction another one replaced, so that they never were.
  (sql, standing) => sql`
    SELECT exception.id, exception.merchant_id, exception.cause,
           jsonb_build_object('deposit_status', deposit.status, 'replaced_by', deposit.replaced_by) AS evidence
    FROM exceptions exception JOIN deposits deposit ON deposit.id = exception.evidence ->> 'deposit_id'
    WHERE exception.kind IN ('late', 'wrong_coin', 'duplicate') AND ${standing}
      AND deposit.status = 'replaced'`,
  // Second amounts that are the only one, because the first is gone.
  (sql, standing) => sql`
    SELECT exception.id, exception.merchant_id, exception.cause,
           jsonb_build_object('amount_detected', payment.amount_detected::text) AS evidence
    FROM exceptions exception
    JOIN payments payment ON payment.id = exception.payment_id
    JOIN deposits deposit ON deposit.id = exception.evidence ->> 'deposit_id'
    WHERE exception.kind = 'duplicate' AND ${standing}
      AND payment.amount_detected - deposit.amount < greatest(1, payment.amount - payment.allowance)`,
  // Debts that are paid. Who moves the account has it locked, and may be about to raise the same cause.
  (sql, standing, locks) => sql`
    SELECT exception.id, exception.merchant_id, exception.cause,
           jsonb_build_object('available', (-account.balance)::text, 'held', held.amount::text) AS evidence
    FROM exceptions exception
    JOIN ledger_accounts account
      ON account.merchant_id = exception.merchant_id AND account.network = exception.evidence ->> 'network'
      AND account.coin = exception.evidence ->> 'coin' AND account.owner = exception.user_reference
      AND account.kind = 'available'
    CROSS JOIN LATERAL (
      SELECT coalesce(sum(hold.amount), 0) AS amount FROM exception_holds hold
      WHERE hold.merchant_id = account.merchant_id AND hold.network = account.network AND hold.coin = account.coin
        AND hold.owner = account.owner AND hold.released_at IS NULL
    ) held
    WHERE exception.kind = 'reorged' AND ${standing}
      AND exception.detail = 'deposit.reverted_after_spend' AND account.balance <= held.amount
    ${locks ? sql`FOR NO KEY UPDATE OF account SKIP LOCKED` : sql``}`,
]
