/** A worker process that makes reconciliations, for tests that kill it. */

import { Connection, WorkflowClient } from '@temporalio/client'
import { NativeConnection, Worker } from '@temporalio/worker'
import { createReconciliationActivities } from '../../activities/books/reconciliation.js'
import { heartbeating } from '../../activities/heartbeating.js'
import { connect } from '../../db/connect.js'
import { createWorkflowGate } from '../../temporal/workflow-gate.js'
import { loadWorkflowBundle } from '../../workers/load-workflow-bundle.js'
import { testNetworks } from '../stage/test-networks.js'

const [, , url = '', address = '', namespace = ''] = process.argv
const connection = await NativeConnection.connect({ address })
const client = new WorkflowClient({ connection: await Connection.connect({ address }), namespace })
const workflows = await Worker.create({
  connection,
  namespace,
  taskQueue: 'core',
  workflowBundle: { codePath: await loadWorkflowBundle() },
})
const checks = await Worker.create({
  connection,
  namespace,
  taskQueue: 'reconciliation',
  activities: heartbeating(
    createReconciliationActivities({
      sql: connect(url),
      networks: testNetworks({ BITCOIN_ENABLED: 'true' }),
      gate: createWorkflowGate(client),
    }),
  ),
})
await Promise.all([workflows.run(), checks.run()])
