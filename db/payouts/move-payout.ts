/**
 * Moves a payout to another stage: the only code that does so. Row, history, event and audit entry are
 * written together.
 */

import type { Networks } from '../../domain/chain/network.js'
import { isMovement } from '../../domain/payouts/treasury.js'
import {
  canWithdrawalMove,
  isWithdrawalFinal,
  WITHDRAWAL_STATUS,
  type WithdrawalStage,
} from '../../domain/payouts/withdrawal-stage.js'
import type { Withdrawal } from '../../wire/withdrawal.js'
import { insertAudit } from '../audit/append-audit.js'
import { isoNow, json, type Transaction } from '../connect.js'
import { appendEvent } from '../events/log/append-event.js'
import { followPart } from './batches/follow-part.js'
import { appendMovementEvent } from './movements/movement-view.js'
import type { PayoutRow } from './payout-row.js'
import { followRefund } from './withdrawals/follow-refund.js'
import {
  toStatusChanged,
  toWithdrawalView,
  type WithdrawalViewRow,
  withdrawalViewQuery,
} from './withdrawals/read-withdrawal-view.js'

export interface WithdrawalMove {
  readonly to: WithdrawalStage
  /**
   * Whether a reorg removed the transaction that had settled it: the only way from an end, to `confirming`.
   */
  readonly reopened?: boolean
  /** Actor: `person:…`, `api-key:…`, `signer:…` or `system:…`. */
  readonly actor: string
  /** Cause shown in `history`. Default: the actor. */
  readonly cause?: string
  readonly failure?: { readonly code: string; readonly message: string }
  readonly transactionHash?: string
  readonly fromAddress?: string | null
  /** Facts about the block that decided. */
  readonly mined?: { readonly blockNumber: number; readonly confirmations: number; readonly fee: bigint }
  /** Whether to set `confirmed_at`. */
  readonly confirmed?: boolean
  /** Further facts for the audit log. */
  readonly audit?: Readonly<Record<string, unknown>>
}

/**
 * Moves a payout that the caller has locked (`lockWithdrawal`), and clears `waiting`. Appends an event when
 * the public status changes, and an audit entry always.
 *
 * @returns The row as it is now.
 * @throws Error when the transition is not in the table: the caller decides about repeated calls beforehand.
 */
export async function movePayout(
  tx: Transaction,
  networks: Networks,
  row: PayoutRow,
  move: WithdrawalMove,
): Promise<PayoutRow> {
  const reopens = move.reopened === true && move.to === 'confirming' && isWithdrawalFinal(row.stage)
  if (!reopens && !canWithdrawalMove(row.stage, move.to)) {
    throw new Error(`Withdrawal ${row.id} cannot go from ${row.stage} to ${move.to}`)
  }
  const status = WITHDRAWAL_STATUS[move.to]
  const entry = { stage: move.to, status, cause: move.cause ?? move.actor }
  const audit = insertAudit(tx, {
    merchantId: row.merchant_id,
    actor: move.actor,
    action: `${isMovement(row.kind) ? 'movement' : 'withdrawal'}.${move.to}`,
    subject: row.id,
    data: {
      from: row.stage,
      ...(move.failure ? { failure: move.failure } : {}),
      ...(move.transactionHash ? { transaction_hash: move.transactionHash } : {}),
      ...move.audit,
    },
  })
  const update = tx`
    UPDATE payouts SET
      stage = ${move.to},
      waiting = NULL,
      failure_code = coalesce(${move.failure?.code ?? null}, failure_code),
      failure_message = coalesce(${move.failure?.message ?? null}, failure_message),
      transaction_hash = coalesce(${move.transactionHash ?? null}, transaction_hash),
      from_address = coalesce(${move.fromAddress ?? null}, from_address),
      block_number = coalesce(${move.mined?.blockNumber ?? null}::bigint, block_number),
      confirmations = coalesce(${move.mined?.confirmations ?? null}::integer, confirmations),
      fee = coalesce(${move.mined?.fee.toString() ?? null}::numeric, fee),
      confirmed_at = CASE WHEN ${move.confirmed ?? false} THEN clock_timestamp() ELSE confirmed_at END,
      history = history || (${json(tx, entry)}::jsonb || jsonb_build_object(
        'at', ${isoNow(tx)})),
      updated_at = clock_timestamp()
    WHERE id = ${row.id}
    RETURNING *`
  const previous = WITHDRAWAL_STATUS[row.stage]
  if (row.kind === 'withdrawal' && status !== previous) {
    // The statement that moves it also reads what its event shows.
    const [moved] = await tx<WithdrawalViewRow[]>`
      WITH audit AS (${audit}), moved AS (${update}) ${withdrawalViewQuery(tx, tx`moved`)}`
    if (!moved) throw new Error(`Withdrawal ${row.id} does not exist`)
    await appendStatusEvent(tx, networks, moved, previous)
    if (isWithdrawalFinal(move.to)) await followRefund(tx, moved, move.to === 'confirmed')
    return moved
  }
  const [moved] = await tx<PayoutRow[]>`WITH audit AS (${audit}) ${update}`
  if (!moved) throw new Error(`Withdrawal ${row.id} does not exist`)
  if (status !== previous) await appendEventOf(tx, networks, row, previous)
  return moved
}

/** Appends the event: a movement has one of its own, and a part of a batch changes its batch. */
async function appendEventOf(
  tx: Transaction,
  networks: Networks,
  row: PayoutRow,
  previous: (typeof WITHDRAWAL_STATUS)[WithdrawalStage],
): Promise<void> {
  if (isMovement(row.kind)) await appendMovementEvent(tx, networks, row, previous)
  if (row.batch_id === null) return
  await followPart(
    tx,
    networks,
    row.batch_id,
    (row.outputs ?? []).map((output) => output.index),
  )
}

/**
 * Appends `withdrawal.status_changed` with the row as the same transaction left it. `previous` is `null` when the withdrawal was
 * just created.
 *
 * @returns The withdrawal, as the API shows it.
 */
export async function appendStatusEvent(
  tx: Transaction,
  networks: Networks,
  row: WithdrawalViewRow,
  previous: (typeof WITHDRAWAL_STATUS)[WithdrawalStage] | null,
): Promise<Withdrawal> {
  const view = toWithdrawalView(networks, row)
  await appendEvent(tx, {
    merchantId: row.merchant_id,
    type: 'withdrawal.status_changed',
    subject: row.id,
    data: toStatusChanged(view, previous),
  })
  return view
}
