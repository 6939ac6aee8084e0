/** Declares a row of `control_changes` as the database returns it, and locks one. */

import type { ControlChangeKind, ControlChangeState } from '../../../domain/controls/control-change.js'
import type {
  DepositReleaseIntent,
  ExceptionResolutionIntent,
  PeriodCloseIntent,
  PeriodReopenIntent,
  PolicyIntent,
  SettlementResumeIntent,
  WhitelistIntent,
} from '../../../domain/controls/intent.js'
import type { Transaction } from '../../connect.js'

/** Entry of `history`: a state with its time and cause. */
export interface ControlChangeHistoryEntry {
  readonly state: ControlChangeState
  /** Time in ISO 8601 UTC. */
  readonly at: string
  /** Actor or reason that moved it. */
  readonly cause: string
}

interface RowOf<Kind extends ControlChangeKind, Intent> {
  readonly id: string
  readonly merchant_id: string
  readonly kind: Kind
  readonly state: ControlChangeState
  readonly intent: Intent
  readonly intent_hash: string
  readonly initiator: string
  readonly cool_down_ms: bigint
  readonly effective_at: Date | null
  /** Fields that did not change, because a stricter value had already replaced them. */
  readonly superseded: readonly string[]
  readonly history: readonly ControlChangeHistoryEntry[]
  readonly expires_at: Date
  readonly created_at: Date
  readonly updated_at: Date
  readonly workflow_started_at: Date | null
}

export type PolicyChangeRow = RowOf<'policy', PolicyIntent>
export type DepositReleaseRow = RowOf<'deposit_release', DepositReleaseIntent>
export type ExceptionResolutionRow = RowOf<'exception_resolution', ExceptionResolutionIntent>
export type PeriodCloseRow = RowOf<'period_close', PeriodCloseIntent>
export type PeriodReopenRow = RowOf<'period_reopen', PeriodReopenIntent>
export type SettlementResumeRow = RowOf<'settlement_resume', SettlementResumeIntent>
export type ControlChangeRow =
  | PolicyChangeRow
  | RowOf<'whitelist', WhitelistIntent>
  | DepositReleaseRow
  | ExceptionResolutionRow
  | PeriodCloseRow
  | PeriodReopenRow
  | SettlementResumeRow

/** Locks a change until the transaction ends. Every decision is made under this lock. @throws Error if unknown. */
export async function lockControlChange(tx: Transaction, id: string): Promise<ControlChangeRow> {
  const [row] = await tx<ControlChangeRow[]>`SELECT * FROM control_changes WHERE id = ${id} FOR UPDATE`
  if (!row) throw new Error(`Change ${id} does not exist`)
  return row
}
