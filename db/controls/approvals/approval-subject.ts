/** What a decision can be about, as `recordApproval` needs to know it. */

import type { Requirement } from '../../../domain/controls/approval.js'
import type { Transaction } from '../../connect.js'

/** Prefix of the audit log's actions, and `approvals.subject_type`. */
export type ApprovalSubjectType =
  | 'withdrawal'
  | 'batch'
  | 'movement'
  | 'policy'
  | 'whitelist'
  | 'deposit_release'

export interface ApprovalSubject {
  readonly type: ApprovalSubjectType
  readonly id: string
  readonly intentHash: string
  /** Everyone who asked for it or shaped what it pays. */
  readonly initiators: readonly string[]
  readonly requirement: Requirement
  /** Whether decisions are still taken. */
  readonly open: boolean
  /** Shown when they are not. */
  readonly state: string
  readonly createdAt: Date
  readonly expiresAt: Date
}

/** Finds a merchant's subject and locks it until the transaction ends. @throws KeyturnError `NOT_FOUND`. */
export type LockSubject = (tx: Transaction, merchantId: string, id: string) => Promise<ApprovalSubject>
