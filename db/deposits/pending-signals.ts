/** Which workflows of a network must be started or woken: the rows are the outbox. */

import { formatAmount } from '../../domain/money.js'
import { findCoin, type Network } from '../../domain/network.js'
import type { DepositInput } from '../../workflows/start.js'
import type { Queryable } from '../connect.js'

/** Taken at a time; more follow at once. */
const BATCH = 500

/** A deposit without a workflow. */
export interface UnstartedDeposit {
  readonly input: DepositInput
  /** True when its first step will find the threshold met: it need not be woken. */
  readonly due: boolean
}

/** A deposit whose workflow waits for this signal. */
export interface DepositSignal {
  readonly id: string
  readonly txid: string
  readonly index: number
  readonly variant: number
  readonly epoch: number
  readonly signal: 'heightReached' | 'reorged' | 'replaced'
}

/** A transaction of ours whose withdrawal waits for this signal. */
export interface TransactionSignal {
  readonly id: string
  readonly subjectType: string
  readonly subjectId: string
  readonly signal: 'heightReached' | 'reorged'
}

/** Oldest first. */
export async function unstartedDeposits(sql: Queryable, network: Network): Promise<UnstartedDeposit[]> {
  const rows = await sql<
    {
      id: string
      merchant_id: string
      coin: string
      txid: string
      output_index: number
      variant: number
      amount: bigint
      user_reference: string | null
      due: boolean
    }[]
  >`
    SELECT id, merchant_id, coin, txid, output_index, variant, amount, user_reference,
           epoch = 0 AND status = 'unconfirmed' AND target_height <= (
             SELECT height FROM chain_cursors WHERE network = ${network.name}) IS TRUE AS due
    FROM deposits
    WHERE workflow_started_at IS NULL AND network = ${network.name} AND status NOT IN ('reverted', 'replaced', 'success')
    ORDER BY detected_at LIMIT ${BATCH}`
  return rows.map((row) => ({
    input: {
      id: row.id,
      merchantId: row.merchant_id,
      network: network.name,
      coin: row.coin,
      txid: row.txid,
      index: row.output_index,
      ...(row.variant === 0 ? {} : { variant: row.variant }),
      title: `${formatAmount(row.amount, findCoin(network, row.coin).decimals)} ${row.coin} for ${row.user_reference ?? 'the merchant'}`,
    },
    due: row.due,
  }))
}

/**
 * Deposits at their threshold, and those that left the chain or lost their inputs, that were not signalled.
 *
 * @param again - Also those that were signalled before this instant and did not move since.
 */
export async function depositSignals(
  sql: Queryable,
  network: string,
  again: Date | null = null,
): Promise<DepositSignal[]> {
  const rows = await sql<
    {
      id: string
      txid: string
      output_index: number
      variant: number
      epoch: number
      status: 'unconfirmed' | 'reverted' | 'replaced'
    }[]
  >`
    SELECT id, txid, output_index, variant, epoch, status FROM deposits
    WHERE network = ${network} AND workflow_started_at IS NOT NULL AND signalled_at IS NULL
      AND (status = 'unconfirmed' AND target_height <= (SELECT height FROM chain_cursors WHERE network = ${network})
           OR status IN ('reverted', 'replaced'))
    UNION ALL
    SELECT id, txid, output_index, variant, epoch, status FROM deposits
    WHERE network = ${network} AND status = 'unconfirmed' AND signalled_at < ${again}::timestamptz
      AND target_height <= (SELECT height FROM chain_cursors WHERE network = ${network})
    LIMIT ${BATCH}`
  return rows.map((row) => ({
    id: row.id,
    txid: row.txid,
    index: row.output_index,
    variant: row.variant,
    epoch: row.epoch,
    signal:
      row.status === 'unconfirmed' ? 'heightReached' : row.status === 'reverted' ? 'reorged' : 'replaced',
  }))
}

/** Transactions of ours that are final or left the chain, and were not signalled (`again` as above). */
export async function transactionSignals(
  sql: Queryable,
  network: string,
  again: Date | null = null,
): Promise<TransactionSignal[]> {
  const rows = await sql<{ id: string; subject_type: string; subject_id: string; state: string }[]>`
    SELECT id, subject_type, subject_id, state FROM transactions
    WHERE network = ${network} AND state IN ('broadcast', 'mined')
      AND (signalled_at IS NULL OR signalled_at < ${again}::timestamptz)
      AND (state = 'mined' AND target_height <= (SELECT height FROM chain_cursors WHERE network = ${network})
           OR state = 'broadcast' AND reorged_at IS NOT NULL)
    LIMIT ${BATCH}`
  return rows.map((row) => ({
    id: row.id,
    subjectType: row.subject_type,
    subjectId: row.subject_id,
    signal: row.state === 'mined' ? 'heightReached' : 'reorged',
  }))
}

/** Records that the workflows of these deposits run. */
export async function markDepositsStarted(
  sql: Queryable,
  started: readonly UnstartedDeposit[],
): Promise<void> {
  if (started.length === 0) return
  const due = started.filter((each) => each.due).map((each) => each.input.id)
  await sql`
    UPDATE deposits SET workflow_started_at = clock_timestamp(),
      signalled_at = CASE WHEN id = ANY (${due}) AND epoch = 0 THEN clock_timestamp() ELSE signalled_at END
    WHERE id = ANY (${started.map((each) => each.input.id)})`
}

/** Records that the signals were delivered, as long as what they told of still holds. */
export async function markDepositsSignalled(
  sql: Queryable,
  signals: readonly DepositSignal[],
): Promise<void> {
  if (signals.length === 0) return
  await sql`
    UPDATE deposits SET signalled_at = clock_timestamp()
    FROM unnest(
      ${signals.map((each) => each.id)}::text[], ${signals.map((each) => each.epoch)}::int[],
      ${signals.map((each) => each.signal)}::text[]) AS sent (id, epoch, signal)
    WHERE deposits.id = sent.id AND deposits.epoch = sent.epoch
      AND deposits.status = CASE sent.signal WHEN 'heightReached' THEN 'unconfirmed' WHEN 'reorged' THEN 'reverted' ELSE 'replaced' END`
}

/** Records that no workflow runs for these deposits, so that one is started. */
export async function markDepositsUnstarted(sql: Queryable, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  await sql`
    UPDATE deposits SET workflow_started_at = NULL, signalled_at = NULL
    WHERE id = ANY (${[...ids]}) AND status NOT IN ('reverted', 'replaced', 'success', 'held')`
}

/** As `markDepositsSignalled`. */
export async function markTransactionsSignalled(
  sql: Queryable,
  signals: readonly TransactionSignal[],
): Promise<void> {
  if (signals.length === 0) return
  await sql`
    UPDATE transactions SET signalled_at = clock_timestamp()
    FROM unnest(${signals.map((each) => each.id)}::text[], ${signals.map((each) => each.signal)}::text[]) AS sent (id, signal)
    WHERE transactions.id = sent.id AND transactions.state = CASE sent.signal WHEN 'heightReached' THEN 'mined' ELSE 'broadcast' END`
}
