/**
 * Moves a batch to another stage: the only code that does so. Row, history, parts, event and audit entry are
 * written together.
 */

import type { Networks } from '../../../domain/chain/network.js'
import {
  BATCH_TRANSITIONS,
  type BatchStage,
  type BatchStatus,
  batchStatus,
} from '../../../domain/payouts/batch-status.js'
import { WITHDRAWAL_STATUS } from '../../../domain/payouts/withdrawal-stage.js'
import { appendAudit } from '../../audit/append-audit.js'
import { postJournal } from '../../books/ledger/post-journal.js'
import { isoNow, json, type Transaction } from '../../connect.js'
import { releaseJournal } from '../withdrawal-journals.js'
import { appendBatchEvents } from './append-batch-events.js'
import { countBatchItems } from './batch-items.js'
import { type BatchRow, termsOf } from './batch-row.js'

export interface BatchMove {
  readonly to: BatchStage
  /** Actor: `person:…`, `api-key:…` or `system:…`. */
  readonly actor: string
  /** Cause shown in `history`. Default: the actor. */
  readonly cause?: string
  readonly failure?: { readonly code: string; readonly message: string }
  /** Further facts for the audit log. */
  readonly audit?: Readonly<Record<string, unknown>>
}

/** Stages to which all parts move when a pending batch ends, or is approved. */
const PARTS_GO_TO = {
  approved: 'approved',
  rejected: 'rejected',
  expired: 'expired',
  cancelled: 'cancelled',
} as const

/**
 * Moves a batch that the caller has locked. Until it is approved its parts move with it, and if it ends
 * unpaid the whole hold is released.
 *
 * @throws Error when the transition is not in the table: the caller decides about repeated calls beforehand.
 */
export async function moveBatch(
  tx: Transaction,
  networks: Networks,
  row: BatchRow,
  move: BatchMove,
): Promise<void> {
  if (!BATCH_TRANSITIONS[row.stage].includes(move.to)) {
    throw new Error(`Batch ${row.id} cannot go from ${row.stage} to ${move.to}`)
  }
  if (move.to in PARTS_GO_TO) await moveParts(tx, row, move, move.to as keyof typeof PARTS_GO_TO)
  if (move.to === 'rejected' || move.to === 'expired' || move.to === 'cancelled') {
    await postJournal(tx, releaseJournal(termsOf(row)))
  }
  const status = batchStatus(await countBatchItems(tx, row.id))
  await storeMove(tx, row, status, move)
  if (status !== row.status)
    await appendBatchEvents(tx, networks, row.id, { previous: row.status, changed: [] })
  await appendAudit(tx, {
    merchantId: row.merchant_id,
    actor: move.actor,
    action: `batch.${move.to}`,
    subject: row.id,
    data: { from: row.stage, ...(move.failure ? { failure: move.failure } : {}), ...move.audit },
  })
}

/** Stores stage, status, history and end. */
export async function storeMove(
  tx: Transaction,
  row: BatchRow,
  status: BatchStatus,
  move: BatchMove,
): Promise<void> {
  const entry = { stage: move.to, status, cause: move.cause ?? move.actor }
  await tx`
    UPDATE batches SET
      stage = ${move.to}, status = ${status},
      failure_code = coalesce(${move.failure?.code ?? null}, failure_code),
      failure_message = coalesce(${move.failure?.message ?? null}, failure_message),
      history = history || (${json(tx, entry)}::jsonb || jsonb_build_object(
        'at', ${isoNow(tx)})),
      completed_at = CASE WHEN ${BATCH_TRANSITIONS[move.to].length === 0} THEN clock_timestamp() ELSE completed_at END,
      updated_at = clock_timestamp()
    WHERE id = ${row.id}`
}

async function moveParts(
  tx: Transaction,
  row: BatchRow,
  move: BatchMove,
  to: keyof typeof PARTS_GO_TO,
): Promise<void> {
  const stage = PARTS_GO_TO[to]
  const entry = { stage, status: WITHDRAWAL_STATUS[stage], cause: move.cause ?? move.actor }
  await tx`
    UPDATE payouts SET
      stage = ${stage},
      failure_code = ${move.failure?.code ?? null}, failure_message = ${move.failure?.message ?? null},
      history = history || (${json(tx, entry)}::jsonb || jsonb_build_object(
        'at', ${isoNow(tx)})),
      updated_at = clock_timestamp()
    WHERE batch_id = ${row.id} AND stage = 'pending_approval'`
}
