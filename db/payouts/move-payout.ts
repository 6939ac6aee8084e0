/** The one way in which a withdrawal changes its stage: row, history, event and audit together. */

import type { Networks } from '../../domain/chain/network.js'
import { isMovement } from '../../domain/payouts/treasury.js'
import {
  canWithdrawalMove,
  isWithdrawalFinal,
  WITHDRAWAL_STATUS,
  type WithdrawalStage,
} from '../../domain/payouts/withdrawal-stage.js'
import { appendAudit } from '../audit/append-audit.js'
import { isoNow, json, type Transaction } from '../connect.js'
import { appendEvent } from '../events/log/append-event.js'
import { followPart } from './batches/follow-part.js'
import { appendMovementEvent } from './movements/movement-view.js'
import type { PayoutRow } from './payout-row.js'
import { readWithdrawalView, toStatusChanged } from './withdrawals/read-withdrawal-view.js'

export interface WithdrawalMove {
  readonly to: WithdrawalStage
  /** The chain took back its end: the one way that leads from an end, to `confirming`. */
  readonly reopened?: boolean
  /** `person:…`, `api-key:…`, `signer:…` or `system:…`. */
  readonly actor: string
  /** Shown in `history`; default the actor. */
  readonly cause?: string
  readonly failure?: { readonly code: string; readonly message: string }
  readonly transactionHash?: string
  readonly fromAddress?: string | null
  /** Of the block that decided. */
  readonly mined?: { readonly blockNumber: number; readonly confirmations: number; readonly fee: bigint }
  /** Sets `confirmed_at`. */
  readonly confirmed?: boolean
  /** More facts for the audit log. */
  readonly audit?: Readonly<Record<string, unknown>>
}

/**
 * Moves a withdrawal that the caller has locked (`lockWithdrawal`); `waiting` is cleared. An event is
 * appended when the public status changes, an audit entry always.
 *
 * @throws Error when the transition is not in the table: the caller decides about replays before it calls.
 */
export async function movePayout(
  tx: Transaction,
  networks: Networks,
  row: PayoutRow,
  move: WithdrawalMove,
): Promise<void> {
  const reopens = move.reopened === true && move.to === 'confirming' && isWithdrawalFinal(row.stage)
  if (!reopens && !canWithdrawalMove(row.stage, move.to)) {
    throw new Error(`Withdrawal ${row.id} cannot go from ${row.stage} to ${move.to}`)
  }
  const status = WITHDRAWAL_STATUS[move.to]
  const entry = { stage: move.to, status, cause: move.cause ?? move.actor }
  await tx`
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
    WHERE id = ${row.id}`
  const previous = WITHDRAWAL_STATUS[row.stage]
  if (status !== previous) await tell(tx, networks, row, previous)
  await appendAudit(tx, {
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
}

/** A movement of our own has an event of its own; a part's news are its batch's. */
async function tell(
  tx: Transaction,
  networks: Networks,
  row: PayoutRow,
  previous: (typeof WITHDRAWAL_STATUS)[WithdrawalStage],
): Promise<void> {
  if (row.kind === 'withdrawal') await appendStatusEvent(tx, networks, row, previous)
  if (isMovement(row.kind)) await appendMovementEvent(tx, networks, row, previous)
  if (row.batch_id === null) return
  await followPart(
    tx,
    networks,
    row.batch_id,
    (row.outputs ?? []).map((output) => output.index),
  )
}

/** Appends `withdrawal.status_changed` with the row as it is now; `previous` null when it was just made. */
export async function appendStatusEvent(
  tx: Transaction,
  networks: Networks,
  row: Pick<PayoutRow, 'id' | 'merchant_id'>,
  previous: (typeof WITHDRAWAL_STATUS)[WithdrawalStage] | null,
): Promise<void> {
  const view = await readWithdrawalView(tx, networks, row.id)
  if (!view) throw new Error(`Withdrawal ${row.id} does not exist`)
  await appendEvent(tx, {
    merchantId: row.merchant_id,
    type: 'withdrawal.status_changed',
    subject: row.id,
    data: toStatusChanged(view, previous),
  })
}
