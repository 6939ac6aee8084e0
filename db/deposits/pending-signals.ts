/** Finds the workflows of a network that must be started or signalled. The rows are the outbox. */

import type { Network } from '../../domain/chain/network.js'
import {
  GONE_DEPOSITS,
  OPEN_DEPOSITS,
  PENDING_DEPOSITS,
  UNCREDITED_DEPOSITS,
} from '../../domain/deposits/deposit-sets.js'
import { formatAmount } from '../../domain/money.js'
import type { DepositInput } from '../../temporal/inputs.js'
import type { Queryable } from '../connect.js'
import { members } from '../members.js'
import { notPutOff } from '../operations/sweep-failures.js'

/** Rows that one call takes. More follow at once. */
const BATCH = 500
/**
 * Factor of the time after which a deposit that waits for blocks is checked, because a signal ends that wait.
 */
const WAITING_FACTOR = 12

/** Deposit without a workflow. */
export interface UnstartedDeposit {
  readonly id: string
  readonly merchantId: string
  readonly input: DepositInput
  /** Whether its first step will find the threshold met, so that no signal is needed. */
  readonly due: boolean
}

/** Deposit whose workflow waits for this signal. */
export interface DepositSignal {
  readonly id: string
  readonly merchantId: string
  readonly txid: string
  readonly index: number
  readonly variant: number
  readonly epoch: number
  readonly signal: 'heightReached' | 'reorged' | 'replaced'
}

/** Own transaction whose payout waits for this signal. */
export interface TransactionSignal {
  readonly id: string
  readonly merchantId: string
  readonly subjectType: string
  readonly payoutId: string
  readonly signal: 'heightReached' | 'reorged'
}

interface StartRow {
  readonly id: string
  readonly merchant_id: string
  readonly coin: string
  readonly txid: string
  readonly output_index: number
  readonly variant: number
  readonly amount: bigint
  readonly user_reference: string | null
  readonly due: boolean
}

/** Returns deposits without a workflow, oldest first. */
export async function unstartedDeposits(sql: Queryable, network: Network): Promise<UnstartedDeposit[]> {
  const rows = await sql<StartRow[]>`
    SELECT id, merchant_id, coin, txid, output_index, variant, amount, user_reference,
           epoch = 0 AND status = 'unconfirmed' AND target_height <= (
             SELECT height FROM chain_cursors WHERE network = ${network.name}) IS TRUE AS due
    FROM deposits
    WHERE workflow_started_at IS NULL AND network = ${network.name} AND status IN ${members(sql, UNCREDITED_DEPOSITS)}
      AND ${notPutOff(sql, 'deposits.id')}
    ORDER BY detected_at LIMIT ${BATCH}`
  return rows.map((row) => toUnstarted(network, row))
}

/**
 * Returns deposits that were started, have not ended, and neither moved nor were checked lately: their
 * workflow may be gone. One at or past its threshold is checked after `unseenMs`; one that waits for blocks,
 * less often.
 */
export async function unseenDeposits(
  sql: Queryable,
  network: Network,
  unseenMs: number,
): Promise<UnstartedDeposit[]> {
  const rows = await sql<StartRow[]>`
    SELECT id, merchant_id, coin, txid, output_index, variant, amount, user_reference, false AS due
    FROM deposits
    WHERE network = ${network.name} AND status IN ${members(sql, OPEN_DEPOSITS)}
      AND workflow_started_at IS NOT NULL
      AND greatest(workflow_started_at, workflow_seen_at, updated_at) < clock_timestamp()
        - (CASE WHEN status IN ${members(sql, PENDING_DEPOSITS)} THEN ${WAITING_FACTOR} ELSE 1 END) * ${unseenMs}
          * interval '1 millisecond'
      AND ${notPutOff(sql, 'deposits.id')}
    ORDER BY greatest(workflow_started_at, workflow_seen_at, updated_at) LIMIT ${BATCH}`
  return rows.map((row) => toUnstarted(network, row))
}

function toUnstarted(network: Network, row: StartRow): UnstartedDeposit {
  const coin = [...network.coins, ...(network.removedCoins ?? [])].find(({ name }) => name === row.coin)
  // A token may have left the configuration since. Its deposits still have a workflow.
  const amount = coin ? formatAmount(row.amount, coin.decimals) : `${row.amount} base units of`
  return {
    id: row.id,
    merchantId: row.merchant_id,
    input: {
      id: row.id,
      merchantId: row.merchant_id,
      network: network.name,
      coin: row.coin,
      txid: row.txid,
      index: row.output_index,
      ...(row.variant === 0 ? {} : { variant: row.variant }),
      title: `${amount} ${row.coin} for ${row.user_reference ?? 'the merchant'}`,
    },
    due: row.due,
  }
}

/**
 * Returns deposits at their threshold, and those that left the chain or lost their inputs, that were not
 * signalled.
 *
 * @param again - Also those that were signalled before this instant and have not moved since.
 */
export async function depositSignals(
  sql: Queryable,
  network: string,
  again: Date | null = null,
): Promise<DepositSignal[]> {
  const rows = await sql<
    {
      id: string
      merchant_id: string
      txid: string
      output_index: number
      variant: number
      epoch: number
      status: 'unconfirmed' | 'reverted' | 'replaced'
    }[]
  >`
    SELECT id, merchant_id, txid, output_index, variant, epoch, status FROM deposits
    WHERE network = ${network} AND workflow_started_at IS NOT NULL AND signalled_at IS NULL
      AND (status = 'unconfirmed' AND target_height <= (SELECT height FROM chain_cursors WHERE network = ${network})
           OR status IN ${members(sql, GONE_DEPOSITS)})
      AND ${notPutOff(sql, 'deposits.id')}
    UNION ALL
    SELECT id, merchant_id, txid, output_index, variant, epoch, status FROM deposits
    WHERE network = ${network} AND status = 'unconfirmed' AND signalled_at < ${again}::timestamptz
      AND target_height <= (SELECT height FROM chain_cursors WHERE network = ${network})
      AND ${notPutOff(sql, 'deposits.id')}
    LIMIT ${BATCH}`
  return rows.map((row) => ({
    id: row.id,
    merchantId: row.merchant_id,
    txid: row.txid,
    index: row.output_index,
    variant: row.variant,
    epoch: row.epoch,
    signal:
      row.status === 'unconfirmed' ? 'heightReached' : row.status === 'reverted' ? 'reorged' : 'replaced',
  }))
}

/** Returns own transactions that are final or left the chain, and were not signalled (`again` as above). */
export async function transactionSignals(
  sql: Queryable,
  network: string,
  again: Date | null = null,
): Promise<TransactionSignal[]> {
  const rows = await sql<
    { id: string; merchant_id: string; subject_type: string; payout_id: string; state: string }[]
  >`
    SELECT id, merchant_id, subject_type, payout_id, state FROM attempts
    WHERE network = ${network} AND state IN ('broadcast', 'mined')
      AND (signalled_at IS NULL OR signalled_at < ${again}::timestamptz)
      AND (state = 'mined' AND target_height <= (SELECT height FROM chain_cursors WHERE network = ${network})
           OR state = 'broadcast' AND reorged_at IS NOT NULL)
      AND ${notPutOff(sql, 'attempts.id')}
    LIMIT ${BATCH}`
  return rows.map((row) => ({
    id: row.id,
    merchantId: row.merchant_id,
    subjectType: row.subject_type,
    payoutId: row.payout_id,
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

/** Records that the signals were delivered, if what they reported still holds. */
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

/** Records that the workflow of a deposit was found running, or runs again. */
export async function markDepositSeen(sql: Queryable, id: string): Promise<void> {
  await sql`UPDATE deposits SET workflow_seen_at = clock_timestamp() WHERE id = ${id}`
}

/** Records that no workflow runs for these deposits, so that one is started. */
export async function markDepositsUnstarted(sql: Queryable, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  await sql`
    UPDATE deposits SET workflow_started_at = NULL, signalled_at = NULL
    WHERE id = ANY (${[...ids]}) AND status IN ${members(sql, OPEN_DEPOSITS)}`
}

/** As `markDepositsSignalled`. */
export async function markTransactionsSignalled(
  sql: Queryable,
  signals: readonly TransactionSignal[],
): Promise<void> {
  if (signals.length === 0) return
  await sql`
    UPDATE attempts SET signalled_at = clock_timestamp()
    FROM unnest(${signals.map((each) => each.id)}::text[], ${signals.map((each) => each.signal)}::text[]) AS sent (id, signal)
    WHERE attempts.id = sent.id AND attempts.state = CASE sent.signal WHEN 'heightReached' THEN 'mined' ELSE 'broadcast' END`
}
