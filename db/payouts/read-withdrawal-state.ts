/** What the workflow of a withdrawal needs to know of its row. */

import type { Approval, Requirement } from '../../domain/controls/approval.js'
import type { RiskAssessment } from '../../domain/controls/risk.js'
import type { Priority } from '../../domain/payouts/priority.js'
import type { WithdrawalStage } from '../../domain/payouts/withdrawal-stage.js'
import type { Queryable } from '../connect.js'
import type { Screening, Waiting } from './payout-row.js'

/** Small and JSON, because it goes into the workflow's history. */
export interface WithdrawalState {
  readonly stage: WithdrawalStage
  readonly waiting: Waiting | null
  readonly failure: string | null
  readonly transactionHash: string | null
  readonly requiredConfirmations: number
  readonly approvalRequirement: Requirement
  /** Whether the screening service is still to be asked about its destination. */
  readonly unscreened: boolean
  readonly priority: Priority
  /** ISO 8601 UTC. */
  readonly createdAt: string
  /** Why a person must look at it, while one must. */
  readonly reviewReason: string | null
  /** The decisions that are stored, while it may still be approved; absent in older histories, and later. */
  readonly approvals?: readonly Approval[]
}

/** Reads the state. @throws when the withdrawal is unknown. */
export async function readWithdrawalState(sql: Queryable, id: string): Promise<WithdrawalState> {
  const [row] = await sql<
    {
      stage: WithdrawalStage
      waiting: Waiting | null
      failure_message: string | null
      transaction_hash: string | null
      required_confirmations: number
      approval_requirement: Requirement
      risk: RiskAssessment | null
      screening: Screening | null
      priority: Priority
      created_at: Date
    }[]
  >`
    SELECT stage, waiting, failure_message, transaction_hash, required_confirmations, approval_requirement,
           risk, screening, priority, created_at
    FROM payouts WHERE id = ${id}`
  if (!row) throw new Error(`Withdrawal ${id} does not exist`)
  return {
    stage: row.stage,
    waiting: row.waiting,
    failure: row.failure_message,
    transactionHash: row.transaction_hash,
    requiredConfirmations: row.required_confirmations,
    approvalRequirement: row.approval_requirement,
    priority: row.priority,
    createdAt: row.created_at.toISOString(),
    unscreened: row.screening?.state === 'pending',
    reviewReason: row.stage === 'pending_review' ? reasonOf(row.risk, row.screening) : null,
    ...(isUndecided(row.stage) ? { approvals: await readApprovals(sql, id) } : {}),
  }
}

function isUndecided(stage: WithdrawalStage): boolean {
  return stage === 'pending_review' || stage === 'pending_approval'
}

async function readApprovals(sql: Queryable, id: string): Promise<Approval[]> {
  const rows = await sql<Approval[]>`
    SELECT approver_id, person_id, decision, intent_hash, signed_at, signature FROM approvals
    WHERE subject_id = ${id} ORDER BY id`
  return [...rows]
}

function reasonOf(risk: RiskAssessment | null, screening: Screening | null): string {
  if (risk?.sanctioned) return 'the destination is on the sanctions list'
  if (screening?.state === 'review')
    return `the screening service asks for it: ${screening.reason ?? 'no reason given'}`
  if (risk === null) return 'it was asked for'
  return `its risk is ${risk.score}, above ${risk.threshold}`
}
