/** Sends the signals that were lost: approvals and answers of signers. */

import type { ApprovalSubjectType } from '../../db/controls/approvals/approval-subject.js'
import { markApprovalSignalled } from '../../db/controls/approvals/mark-approval-signalled.js'
import { unsignalledApprovals } from '../../db/controls/approvals/unsignalled-approvals.js'
import { unheardAnswers } from '../../db/signing/unheard-answers.js'
import { batchId, controlChangeId, withdrawalId } from '../../temporal/ids.js'
import { sweepEach } from './sweep-each.js'
import { SWEEP_CONCURRENCY, type SweeperDependencies } from './sweeper-dependencies.js'

/** Signals approvals whose workflow has not received them. */
export async function signalApprovals(dependencies: SweeperDependencies): Promise<number> {
  const { sql, gate, graceMs } = dependencies
  const pending = await unsignalledApprovals(sql, graceMs)
  return sweepEach(dependencies, 'approvals', pending, SWEEP_CONCURRENCY, async (each) => {
    // A closed workflow has nothing left to decide, and one that starts again reads the stored approvals.
    await gate.signal(workflowOf(each.subjectType, each.subjectId), 'decide', each.approval)
    await markApprovalSignalled(sql, each.id)
    return true
  })
}

/** Signals payouts whose signer has answered but which have not moved since. */
export async function signalAnswers(dependencies: SweeperDependencies): Promise<number> {
  const { sql, gate, graceMs } = dependencies
  const waiting = await unheardAnswers(sql, graceMs)
  return sweepEach(dependencies, 'answers', waiting, SWEEP_CONCURRENCY, async ({ id }) => {
    await gate.signal(withdrawalId(id), 'answered')
    return true
  })
}

function workflowOf(type: ApprovalSubjectType, id: string): string {
  if (type === 'withdrawal' || type === 'movement') return withdrawalId(id)
  return type === 'batch' ? batchId(id) : controlChangeId(type, id)
}
