/** Reads what must be true before a period is closed. */

import type { PendingQuery, Row } from 'postgres'
import type { Window } from '../../../domain/books/period.js'
import type { ChecklistItem, ProofBlock } from '../../../domain/books/period-books.js'
import type { Queryable } from '../../connect.js'
import { idTime } from '../../id-range.js'
import { sameValues } from '../exceptions/same-values.js'

/** Names of one item that `examples` shows. */
const EXAMPLES = 5
/** Time that a timer may be late before what it should have ended counts against the period. */
const LATE = '5 minutes'

/** Types of what differs whose ids begin with the time at which they were made. */
const DATED = [
  'deposit',
  'payment',
  'payout',
  'withdrawal',
  'movement',
  'batch',
  'transfer',
  'event',
  'delivery',
]

interface Found {
  readonly found: bigint
  readonly examples: readonly string[]
}

/**
 * Checks a period: what was wrong at its end and still is. What was put right since is right, and what went wrong since
 * belongs to a later period.
 *
 * - `earlier_periods`: the month before is closed.
 * - `unproven_networks`: each network on which the merchant has coins at the end, or had bookings in the window, has a
 *   block in the proof. One that left the configuration, or was never scanned, has none.
 * - `open_payments`: no payment of the window is open beyond its time.
 * - `ended_payments`: no deposit of a payment that expired or was cancelled is in a block and waits for confirmations,
 *   and no exception of such a payment stands, of what was seen by the end. A transaction in no block does not count: it may never be mined, and
 *   people cannot end it.
 * - `overdue_exceptions`: no exception that was raised by the end stands beyond its due time.
 * - `open_withdrawals`: no withdrawal of the window waits for approvals beyond its time.
 * - `clearing_accounts`: no account that only passes money on is out of balance: fees, and what is reserved.
 * - `reconciliation`: the run that the close asked for found nothing. Before that, neither did the newest run.
 *   Differences whose exception a person has resolved with the same values do not count, nor do those of what was
 *   made since the end.
 * - `accepted_differences`: these. They are shown to those who approve the close, and never speak against it.
 *
 * @param proof - Blocks that prove the period, or would now.
 * @param runId - Run that the close asked for, if it did.
 */
export async function readChecklist(
  sql: Queryable,
  merchantId: string,
  { from, to }: Window,
  followsClosed: boolean,
  proof: readonly ProofBlock[],
  runId: string | null = null,
): Promise<ChecklistItem[]> {
  const earlier = { found: followsClosed ? 0n : 1n, examples: [] }
  const [unproven, payments, ended, overdue, withdrawals, clearing, reconciliation, accepted] =
    await Promise.all([
      find(
        sql,
        sql`
      SELECT DISTINCT network AS id
      FROM (
        SELECT id, network, version_before(id, version, ${from}) AS first, version_before(id, version, ${to}) AS last
        FROM ledger_accounts
        WHERE merchant_id = ${merchantId} AND kind = 'chain' AND created_at < ${to}
          AND network <> ALL (${proof.map(({ network }) => network)})
      ) account
      WHERE last > first OR EXISTS (
        SELECT FROM ledger_entries WHERE account_id = account.id AND account_version = last AND balance_after <> 0)`,
      ),
      find(
        sql,
        sql`
      SELECT id FROM payments
      WHERE merchant_id = ${merchantId} AND created_at < ${to} AND status = 'pending'
        AND expires_at < least(${to}::timestamptz, clock_timestamp() - ${LATE}::interval)`,
      ),
      find(
        sql,
        sql`
      SELECT payment.id FROM payments payment
      JOIN (
        SELECT payment_id FROM deposits
        WHERE merchant_id = ${merchantId} AND status = 'unconfirmed' AND payment_id IS NOT NULL AND detected_at < ${to}
        UNION
        SELECT payment_id FROM exceptions
        WHERE merchant_id = ${merchantId} AND status <> 'resolved' AND payment_id IS NOT NULL AND created_at < ${to}
      ) waiting ON waiting.payment_id = payment.id
      WHERE payment.merchant_id = ${merchantId} AND payment.created_at < ${to}
        AND payment.status IN ('expired', 'cancelled')`,
      ),
      find(
        sql,
        sql`
      SELECT id FROM exceptions
      WHERE merchant_id = ${merchantId} AND status <> 'resolved' AND created_at < ${to}
        AND due_at < clock_timestamp()`,
      ),
      find(
        sql,
        sql`
      SELECT id FROM payouts
      WHERE merchant_id = ${merchantId} AND kind = 'withdrawal' AND created_at < ${to} AND stage = 'pending_approval'
        AND expires_at < least(${to}::timestamptz, clock_timestamp() - ${LATE}::interval)`,
      ),
      find(
        sql,
        sql`
      SELECT network || ' ' || coin || ' ' || kind AS id FROM ledger_accounts account
      WHERE merchant_id = ${merchantId} AND (kind = 'network_fee' AND balance <> 0 OR kind = 'reserved' AND balance > 0)
        AND (updated_at < ${to} OR EXISTS (
          SELECT FROM ledger_entries entry
          WHERE entry.account_id = account.id
            AND entry.account_version = version_before(account.id, account.version, ${to})
            AND (kind = 'network_fee' AND balance_after <> 0 OR kind = 'reserved' AND balance_after > 0)))`,
      ),
      readRun(sql, merchantId, runId, to),
      readAccepted(sql, merchantId, runId),
    ])
  return [
    item('earlier_periods', earlier),
    item('unproven_networks', unproven),
    item('open_payments', payments),
    item('ended_payments', ended),
    item('overdue_exceptions', overdue),
    item('open_withdrawals', withdrawals),
    item('clearing_accounts', clearing),
    item('reconciliation', reconciliation),
    { ...item('accepted_differences', accepted), ok: true },
  ]
}

/** Whether every item is as it must be. */
export function isGreen(checklist: readonly ChecklistItem[]): boolean {
  return checklist.every(({ ok }) => ok)
}

function item(name: string, { found, examples }: Found): ChecklistItem {
  return { name, ok: found === 0n, found: Number(found), examples: [...examples] }
}

/** Counts the checks of a reconciliation that found something, and the run itself where it failed. */
async function readRun(sql: Queryable, merchantId: string, runId: string | null, to: Date): Promise<Found> {
  const run = runOf(sql, merchantId, runId)
  return find(
    sql,
    sql`
      SELECT checked.name AS id FROM (${run}) run JOIN reconciliation_checks checked ON checked.run_id = run.id
      WHERE run.status <> 'clean' AND checked.differences > (
        SELECT count(*) FROM reconciliation_differences found
        WHERE found.run_id = run.id AND found.check_name = checked.name
          AND (${isAccepted(sql, merchantId)} OR ${isLater(sql, merchantId, to)}))
      UNION ALL SELECT run.id FROM (${run}) run WHERE run.status NOT IN ('clean', 'differences')`,
  )
}

/** Counts the differences of a reconciliation that a person has examined and left as they are. */
async function readAccepted(sql: Queryable, merchantId: string, runId: string | null): Promise<Found> {
  return find(
    sql,
    sql`
      SELECT DISTINCT found.about ->> 'cause' AS id FROM (${runOf(sql, merchantId, runId)}) run
      JOIN reconciliation_differences found ON found.run_id = run.id
      WHERE ${isAccepted(sql, merchantId)}`,
  )
}

/** Whether a person's resolution of a difference, with the same values, stands. Then no run raises it again. */
function isAccepted(sql: Queryable, merchantId: string) {
  return sql`found.due AND EXISTS (
    SELECT FROM exceptions known
    WHERE known.merchant_id = ${merchantId} AND known.cause = found.about ->> 'cause' AND known.status = 'resolved'
      AND known.cause_gone_at IS NULL
      AND ${sameValues(sql, sql`(found.data ->> 'expected')`, sql`(found.data ->> 'actual')`)})`
}

/** Whether a difference concerns a journal, an order or an object with a dated id that was made since the end. */
function isLater(sql: Queryable, merchantId: string, to: Date) {
  const type = sql`found.data -> 'subject' ->> 'type'`
  const id = sql`found.data -> 'subject' ->> 'id'`
  return sql`found.due AND CASE
    WHEN ${type} = 'journal' AND ${id} ~ '^[0-9]+$' THEN EXISTS (
      SELECT FROM ledger_journals WHERE id = (${id})::bigint AND recorded_at >= ${to})
    WHEN ${type} = 'order' THEN ${to} <= (
      SELECT min(at) FROM merchant_orders WHERE merchant_id = ${merchantId} AND order_id = ${id})
    WHEN ${type} = ANY (${DATED}) AND ${id} ~ '^[a-z]+_[0-9a-f]{32}$' THEN split_part(${id}, '_', 2) >= ${idTime(to)}
    ELSE false END`
}

/** Selects the run that a close asked for, or else the newest one. */
function runOf(sql: Queryable, merchantId: string, runId: string | null) {
  return runId === null
    ? sql`SELECT id, status FROM reconciliation_runs
          WHERE merchant_id = ${merchantId} AND status IN ('clean', 'differences') ORDER BY id DESC LIMIT 1`
    : sql`SELECT id, status FROM reconciliation_runs WHERE id = ${runId}`
}

async function find(sql: Queryable, ids: PendingQuery<Row[]>): Promise<Found> {
  const [row] = await sql<Found[]>`
    WITH each AS MATERIALIZED (${ids})
    SELECT count(*) AS found, coalesce((SELECT array_agg(id) FROM (SELECT id FROM each ORDER BY id LIMIT ${EXAMPLES}) few), '{}') AS examples
    FROM each`
  return row ?? { found: 0n, examples: [] }
}
