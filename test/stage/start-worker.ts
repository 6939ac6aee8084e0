/** The workers of payouts, in the process of the test. */

import { NativeConnection, Worker } from '@temporalio/worker'
import { createControlChangeActivities } from '../../activities/controls/control-change.js'
import { createSettlementActivities } from '../../activities/controls/settlement.js'
import { createBatchActivities } from '../../activities/payouts/batch.js'
import { createTreasuryActivities } from '../../activities/payouts/treasury.js'
import type { WithdrawalChainDependencies } from '../../activities/payouts/withdrawal/dependencies.js'
import { createWithdrawalActivities } from '../../activities/payouts/withdrawal.js'
import { createWithdrawalChainActivities } from '../../activities/payouts/withdrawal-chain.js'
import { createWorkflowGate } from '../../temporal/workflow-gate.js'
import { loadWorkflowBundle } from '../../workers/load-workflow-bundle.js'
import type { TestTemporal } from '../support/temporal.js'
import type { TestApi } from './test-api.js'

const silent = { info() {}, warn() {}, error() {} }

/** Starts workers of the queues `core` and `chain`; `stop()` ends them as a deployment would. */
export async function startWorker(
  temporal: Pick<TestTemporal, 'address' | 'namespace' | 'client'>,
  api: TestApi,
  parts: Omit<WithdrawalChainDependencies, 'sql'>,
): Promise<{ stop(): Promise<void> }> {
  const { sql } = api.database
  const connection = await NativeConnection.connect({ address: temporal.address })
  const common = { connection, namespace: temporal.namespace, shutdownGraceTime: '1s' as const }
  const core = await Worker.create({
    ...common,
    taskQueue: 'core',
    workflowBundle: { codePath: await loadWorkflowBundle() },
    activities: {
      ...createWithdrawalActivities({
        sql,
        networks: parts.networks,
        rebroadcastMs: api.dependencies.environment.KEYTURN_REBROADCAST_INTERVAL,
      }),
      ...createBatchActivities({
        sql,
        networks: parts.networks,
        gate: createWorkflowGate(temporal.client.workflow),
      }),
      ...createControlChangeActivities({ sql, networks: parts.networks }),
      ...createSettlementActivities({ sql, gate: createWorkflowGate(temporal.client.workflow) }),
    },
  })
  const chain = await Worker.create({
    ...common,
    taskQueue: 'chain',
    activities: {
      ...createWithdrawalChainActivities({ sql, ...parts }),
      ...createTreasuryActivities({
        sql,
        ...parts,
        gate: createWorkflowGate(temporal.client.workflow),
        log: silent,
      }),
    },
  })
  const running = [core.run(), chain.run()]
  let stopped = false
  return {
    async stop() {
      if (stopped) return
      stopped = true
      core.shutdown()
      chain.shutdown()
      await Promise.all(running)
      await connection.close()
    },
  }
}
