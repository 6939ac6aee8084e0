/** A worker process that follows resolutions of exceptions, for tests that kill it. */

import { NativeConnection, Worker } from '@temporalio/worker'
import { createControlChangeActivities } from '../../activities/controls/control-change.js'
import { connect } from '../../db/connect.js'
import { loadWorkflowBundle } from '../../workers/load-workflow-bundle.js'
import { testNetworks } from '../stage/test-networks.js'

const [, , url = '', address = '', namespace = ''] = process.argv
const worker = await Worker.create({
  connection: await NativeConnection.connect({ address }),
  namespace,
  taskQueue: 'core',
  workflowBundle: { codePath: await loadWorkflowBundle() },
  activities: createControlChangeActivities({
    sql: connect(url, { name: 'resolution-worker' }),
    networks: testNetworks({ ETHEREUM_ENABLED: 'true' }),
  }),
})
await worker.run()
