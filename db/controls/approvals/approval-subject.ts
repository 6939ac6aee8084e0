/** Declares the subject of a decision, as `recordApproval` needs it. */

import type { Requirement } from '../../../domain/controls/approval.js'
import type { Transaction } from '../../connect.js'

/** Type of subject: `approvals.subject_type` and the prefix of the audit log's actions. */
export type ApprovalSubjectType =
  | 'withdrawal'
  | 'batch'
  | 'movement'
  | 'policy'
  | 'whitelist'
  | 'deposit_release'
  | 'exception_resolution'
  | 'period_close'
  | 'period_reopen'
  | 'settlement_resume'

export interface ApprovalSubject {
  readonly type: ApprovalSubjectType
  readonly id: string
  readonly intentHash: string
  /** Persons who requested it or changed what it pays. */
  readonly initiators: readonly string[]
  readonly requirement: Requirement
  /** Whether it still accepts decisions. */
  readonly open: boolean
  /** State that the error shows if it does not. */
  readonly state: string
  readonly createdAt: Date
  readonly expiresAt: Date
}

/**
 * Finds a merchant's subject and locks it until the transaction ends.
 *
 * @throws KeyturnError `NOT_FOUND` if unknown.
 */
export type LockSubject = (tx: Transaction, merchantId: string, id: string) => Promise<ApprovalSubject>
