/**
 * The activities of runs that began before `advanceWithdrawal`; they go with `workflows/withdrawal-before-
 * advance.ts`.
 */

import type { Sql } from '../../db/connect.js'
import { readApprovals } from '../../db/controls/approvals/read-approvals.js'
import { advanceWithdrawal } from '../../db/payouts/advance-withdrawal.js'
import type { Networks } from '../../domain/chain/network.js'
import type { Approval } from '../../domain/controls/approval.js'
import type { WithdrawalStage } from '../../domain/payouts/withdrawal-stage.js'

export interface WithdrawalActivitiesBeforeAdvance {
  admitWithdrawal(id: string): Promise<void>
  decideWithdrawal(id: string): Promise<void>
}

/** Both do what `advanceWithdrawal` does now; the run reads the row again afterwards. */
export function createActivitiesBeforeAdvance(
  sql: Sql,
  networks: Networks,
): WithdrawalActivitiesBeforeAdvance {
  const advance = async (id: string) => {
    await advanceWithdrawal(sql, networks, id, new Date())
  }
  return { admitWithdrawal: advance, decideWithdrawal: advance }
}

/** Stored decisions, which such a run counts itself; absent once the withdrawal can no longer be approved. */
export interface StoredApprovals {
  readonly approvals?: readonly Approval[]
}

/** Reads the decisions that count while the withdrawal waits for them. */
export async function readStoredApprovals(
  sql: Sql,
  id: string,
  stage: WithdrawalStage,
): Promise<StoredApprovals> {
  if (stage !== 'pending_review' && stage !== 'pending_approval') return {}
  const stored = await readApprovals(sql, id)
  return { approvals: stored.map(({ id: _id, reason: _reason, ...approval }) => approval) }
}
