/** What the activities of movements need. */

import type { Logger } from '../../../telemetry/logger.js'
import type { ConsolidationGate, WorkflowGate } from '../../../temporal/workflow-gate.js'
import type { WithdrawalChainDependencies } from '../withdrawal/dependencies.js'

export interface TreasuryDependencies extends WithdrawalChainDependencies {
  readonly gate: Pick<WorkflowGate, 'startWithdrawal'> & ConsolidationGate
  readonly log: Logger
}
