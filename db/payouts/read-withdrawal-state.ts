/** Reads what the workflow of a withdrawal needs to know about its row. */

import type { Requirement } from '../../domain/controls/approval.js'
import type { RiskAssessment } from '../../domain/controls/risk.js'
import type { Priority } from '../../domain/payouts/priority.js'
import type { WithdrawalStage } from '../../domain/payouts/withdrawal-stage.js'
import type { Queryable } from '../connect.js'
import { countStoredApprovals } from '../controls/approvals/decide-subject.js'
import { findRow, type PayoutRow, type Screening } from './payout-row.js'

/** The state. Small and JSON, because it goes into the workflow's history. */
export interface WithdrawalState {
  readonly stage: WithdrawalStage
  readonly failure: string | null
  readonly transactionHash: string | null
  readonly requiredConfirmations: number
  readonly approvalRequirement: Requirement
  /** Whether the screening service has yet to answer about the destination. */
  readonly unscreened: boolean
  readonly priority: Priority
  /** Time, ISO 8601 UTC. */
  readonly createdAt: string
  /** Reason for a manual review. `null` unless the withdrawal waits for one. */
  readonly reviewReason: string | null
  /** Number of persons whose approvals count so far. 0 once the withdrawal can no longer be approved. */
  readonly approvedBy: number
}

/** Reads the state. @throws Error when the withdrawal does not exist. */
export async function readWithdrawalState(sql: Queryable, id: string): Promise<WithdrawalState> {
  const row = await findRow(sql, id)
  const approvedBy = isUndecided(row.stage)
    ? await countStoredApprovals(sql, row, row.approval_requirement)
    : 0
  return toWithdrawalState(row, approvedBy)
}

/** Returns the state of a row. @param approvedBy - 0 once it can no longer be approved. */
export function toWithdrawalState(row: PayoutRow, approvedBy: number): WithdrawalState {
  return {
    stage: row.stage,
    failure: row.failure_message,
    transactionHash: row.transaction_hash,
    requiredConfirmations: row.required_confirmations,
    approvalRequirement: row.approval_requirement,
    priority: row.priority,
    createdAt: row.created_at.toISOString(),
    unscreened: row.screening?.state === 'pending',
    reviewReason: row.stage === 'pending_review' ? reasonOf(row.risk, row.screening) : null,
    approvedBy,
  }
}

function isUndecided(stage: WithdrawalStage): boolean {
  return stage === 'pending_review' || stage === 'pending_approval'
}

function reasonOf(risk: RiskAssessment | null, screening: Screening | null): string {
  if (risk?.sanctioned) return 'the destination is on the sanctions list'
  if (screening?.state === 'review')
    return `the screening service asks for it: ${screening.reason ?? 'no reason given'}`
  if (risk === null) return 'it was asked for'
  return `its risk is ${risk.score}, above ${risk.threshold}`
}
