/** The dependencies of the activities of movements. */

import type { Logger } from '../../../telemetry/logger.js'
import type { ConsolidationGate, WorkflowGate } from '../../../temporal/workflow-gate.js'
import type { WithdrawalChainDependencies } from '../withdrawal/dependencies.js'

export interface TreasuryDependencies extends WithdrawalChainDependencies {
  readonly gate: Pick<WorkflowGate, 'startWithdrawal'> & ConsolidationGate
  readonly log: Logger
}
