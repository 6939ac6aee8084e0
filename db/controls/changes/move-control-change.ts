/** Moves a control change to another state: row, history, event and audit together. Nothing else changes a state. */

import {
  CONTROL_CHANGE_TRANSITIONS,
  type ControlChangeState,
} from '../../../domain/controls/control-change.js'
import { appendAudit } from '../../audit/append-audit.js'
import { returnException } from '../../books/exceptions/return-exception.js'
import { returnPeriod } from '../../books/periods/return-period.js'
import { json, type Transaction } from '../../connect.js'
import { appendControlChangeEvent } from './append-control-change-event.js'
import type { ControlChangeRow } from './control-change-row.js'

export interface ControlChangeMove {
  readonly to: ControlChangeState
  /** Time of the move. */
  readonly at: Date
  readonly actor: string
  /** Cause that `history` shows. Default: the actor. */
  readonly cause?: string
  readonly effectiveAt?: Date
  /** Additional facts for the audit log. */
  readonly audit?: Readonly<Record<string, unknown>>
}

/** Moves a change that the caller has locked. @throws Error if the table does not allow the transition. */
export async function moveControlChange(
  tx: Transaction,
  row: ControlChangeRow,
  move: ControlChangeMove,
): Promise<void> {
  if (!CONTROL_CHANGE_TRANSITIONS[row.state].includes(move.to)) {
    throw new Error(`Change ${row.id} cannot go from ${row.state} to ${move.to}`)
  }
  const entry = { state: move.to, at: move.at.toISOString(), cause: move.cause ?? move.actor }
  await tx`
    UPDATE control_changes SET
      state = ${move.to}, effective_at = coalesce(${move.effectiveAt ?? null}::timestamptz, effective_at),
      history = history || ${json(tx, entry)}::jsonb, updated_at = clock_timestamp()
    WHERE id = ${row.id}`
  if (row.kind === 'whitelist' && CONTROL_CHANGE_TRANSITIONS[move.to].length === 0) {
    await tx`UPDATE whitelist_entries SET closed_at = ${move.at} WHERE id = ${row.id}`
  }
  if (row.kind === 'period_close' && move.to !== 'effective') await returnPeriod(tx, row)
  if (row.kind === 'exception_resolution' && move.to !== 'effective') {
    await returnException(tx, row, move.cause ?? `${move.to} by ${move.actor}`)
  }
  await appendControlChangeEvent(tx, row, row.state)
  await appendAudit(tx, {
    merchantId: row.merchant_id,
    actor: move.actor,
    action: `${row.kind}.change_${move.to}`,
    subject: row.id,
    data: {
      from: row.state,
      ...(move.effectiveAt ? { effective_at: move.effectiveAt.toISOString() } : {}),
      ...move.audit,
    },
  })
}
