/** Withdrawals, as the API answers them and as events carry them. */

import { findNetwork, knownCoin, type Networks } from '../../../domain/chain/network.js'
import { explainPause, type PausedBy, SETTLEMENT_PAUSED } from '../../../domain/controls/settlement-pause.js'
import { formatAmount } from '../../../domain/money.js'
import { APPROVED_PAYOUTS, OPEN_PAYOUTS, UNSENT_PAYOUTS } from '../../../domain/payouts/stage-sets.js'
import { WITHDRAWAL_STATUS, type WithdrawalStatus } from '../../../domain/payouts/withdrawal-stage.js'
import type { ListedApproval } from '../../../wire/approval.js'
import type { WithdrawalStatusChanged } from '../../../wire/event.js'
import type { Attempt, Withdrawal } from '../../../wire/withdrawal.js'
import { iso, type Queryable } from '../../connect.js'
import { approvalList } from '../../controls/approvals/approval-list.js'
import type { PayoutRow } from '../payout-row.js'

/** A row with what other tables know about it. */
export interface WithdrawalViewRow extends PayoutRow {
  readonly mined_in: bigint | null
  readonly tip: bigint | null
  readonly approval_list: readonly ListedApproval[]
  /** Attempts, with amounts in base units. */
  readonly attempt_list: readonly Attempt[]
  readonly retried_by: string | null
  /** Pause that covers its rail, with `since` in ISO 8601. */
  readonly pause: { readonly placed_by: PausedBy; readonly reason: string; readonly since: string } | null
}

/**
 * Returns the columns and joins of every query that ends in a view. `withdrawal` is the table's alias in it.
 *
 * @param from - Source of the rows: `payouts`, or a part of the same statement that writes and returns rows.
 */
export function withdrawalViewQuery(sql: Queryable, from = sql`payouts`) {
  return sql`
    SELECT withdrawal.*, mined.block_number AS mined_in, cursor.height AS tip, coalesce(decided.list, '[]') AS approval_list,
           coalesce(tried.list, '[]') AS attempt_list,
           (SELECT id FROM payouts retry WHERE retry.retry_of = withdrawal.id) AS retried_by, paused.pause
    FROM ${from} withdrawal
    LEFT JOIN chain_cursors cursor ON cursor.network = withdrawal.network
    LEFT JOIN LATERAL (
      SELECT block_number FROM attempts
      WHERE payout_id = withdrawal.id AND state IN ('mined', 'final') ORDER BY number DESC LIMIT 1
    ) mined ON true
    ${approvalList(sql, 'withdrawal')}
    LEFT JOIN LATERAL (
      SELECT jsonb_build_object('placed_by', placed_by, 'reason', reason, 'since', ${iso(sql, 'since')}) AS pause
      FROM standing_pause(withdrawal.merchant_id, withdrawal.network, withdrawal.coin)
    ) paused ON true
    LEFT JOIN LATERAL (
      SELECT jsonb_agg(jsonb_build_object(
        'number', number, 'purpose', purpose, 'cause', cause, 'priority', priority, 'state', state,
        'transaction_hash', txid, 'max_fee', max_fee::text, 'fee', fee::text,
        'created_at', ${iso(sql, 'created_at')},
        'broadcast_at', ${iso(sql, 'broadcast_at')}) ORDER BY number DESC) AS list
      FROM attempts WHERE payout_id = withdrawal.id
    ) tried ON true`
}

/**
 * Reads the view of a withdrawal (of no other kind of row). With `merchantId`, only if it is that merchant's.
 * `null` when there is none.
 */
export async function readWithdrawalView(
  sql: Queryable,
  networks: Networks,
  id: string,
  merchantId?: string,
): Promise<Withdrawal | null> {
  const [row] = await sql<WithdrawalViewRow[]>`
    ${withdrawalViewQuery(sql)}
    WHERE withdrawal.id = ${id} AND withdrawal.kind = 'withdrawal'
      AND (${merchantId ?? null}::text IS NULL OR withdrawal.merchant_id = ${merchantId ?? null})`
  return row ? toWithdrawalView(networks, row) : null
}

/** Turns a row into its view. */
export function toWithdrawalView(networks: Networks, row: WithdrawalViewRow): Withdrawal {
  const network = findNetwork(networks, row.network)
  const coin = knownCoin(network, row.coin)
  const feeCoin = knownCoin(network, row.fee_coin)
  return {
    id: row.id,
    status: WITHDRAWAL_STATUS[row.stage],
    stage: row.stage,
    network: row.network,
    coin: row.coin,
    amount: row.amount_text ?? formatAmount(row.amount, coin.decimals),
    fee: formatAmount(row.fee ?? row.fee_estimate, feeCoin.decimals),
    fee_coin: row.fee_coin,
    fee_limit: formatAmount(row.fee_limit, feeCoin.decimals),
    fee_payer: row.fee_payer,
    priority: row.priority,
    to_address: row.to_address,
    from_address: row.from_address,
    user_reference: row.user_reference,
    external_id: row.external_id,
    metadata: row.metadata,
    approvals: row.approval_list,
    required_approvals: row.approval_requirement.count,
    required_signers: row.approval_requirement.signers.map((signer) => signer.id),
    required_roles: row.approval_requirement.roles,
    intent_hash: row.intent_hash,
    risk: row.risk,
    review: row.review_required ? { required: true, ...row.review } : null,
    failure:
      row.failure_code === null ? null : { code: row.failure_code, message: row.failure_message ?? '' },
    waiting: waitingOf(row),
    speed_up:
      row.speed_up?.max_fee == null
        ? row.speed_up
        : { ...row.speed_up, max_fee: formatAmount(BigInt(row.speed_up.max_fee), feeCoin.decimals) },
    cancellation: row.cancellation,
    attempts: row.attempt_list.map((attempt) => ({
      ...attempt,
      max_fee: formatAmount(BigInt(attempt.max_fee), feeCoin.decimals),
      fee: attempt.fee === null ? null : formatAmount(BigInt(attempt.fee), feeCoin.decimals),
    })),
    investigation: row.investigation,
    screening: row.screening,
    retry_of: row.retry_of,
    retried_by: row.retried_by,
    transaction_hash: row.transaction_hash,
    confirmations: confirmations(row),
    required_confirmations: row.required_confirmations,
    block_number: row.mined_in === null ? null : Number(row.mined_in),
    history: row.history,
    estimated_confirmation_time: row.estimated_confirmation_at.toISOString(),
    expires_at: row.expires_at.toISOString(),
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
    confirmed_at: row.confirmed_at?.toISOString() ?? null,
  }
}

/**
 * Returns why a payout waits. A pause is shown as soon as it is placed, before a step has found it, and no longer
 * than it stands. While people or the screening decide, their reason comes first.
 */
function waitingOf({ stage, waiting, pause }: WithdrawalViewRow): Withdrawal['waiting'] {
  const isPaused = waiting?.code === SETTLEMENT_PAUSED
  if (
    pause &&
    (UNSENT_PAYOUTS[stage] || isPaused || (OPEN_PAYOUTS[stage] && !APPROVED_PAYOUTS[stage] && !waiting))
  ) {
    const { placed_by, reason, since } = pause
    const message = explainPause({ placed_by, reason, since: new Date(since) })
    return { code: SETTLEMENT_PAUSED, message, since, reason }
  }
  return isPaused ? null : waiting
}

/** Returns the fields about a payout's progress, which the views of every kind of payout have in common. */
export function progressOf(view: Withdrawal) {
  return {
    transaction_hash: view.transaction_hash,
    confirmations: view.confirmations,
    required_confirmations: view.required_confirmations,
    block_number: view.block_number,
    history: view.history,
    expires_at: view.expires_at,
    created_at: view.created_at,
    updated_at: view.updated_at,
    confirmed_at: view.confirmed_at,
  }
}

/** Returns the data of `withdrawal.status_changed`: the view, and the status before. */
export function toStatusChanged(
  view: Withdrawal,
  previous: WithdrawalStatus | null,
): WithdrawalStatusChanged {
  return { ...view, previous_status: previous }
}

/** Returns the confirmations, which grow with the chain and are never fewer than those that settled it. */
function confirmations(row: WithdrawalViewRow): number {
  if (row.mined_in === null) return 0
  const live = row.tip === null ? 0 : Number(row.tip - row.mined_in + 1n)
  return Math.max(row.confirmations, live, 0)
}
