/** A worker process that writes exports in small parts, for tests that kill it. */

import { NativeConnection, Worker } from '@temporalio/worker'
import { createExportActivities } from '../../activities/books/export-job.js'
import { heartbeating } from '../../activities/heartbeating.js'
import { connect } from '../../db/connect.js'
import { loadWorkflowBundle } from '../../workers/load-workflow-bundle.js'
import { testNetworks } from '../stage/test-networks.js'

const [, , url = '', address = '', namespace = '', partLength = ''] = process.argv
const connection = await NativeConnection.connect({ address })
const workflows = await Worker.create({
  connection,
  namespace,
  taskQueue: 'core',
  workflowBundle: { codePath: await loadWorkflowBundle() },
})
const exports = await Worker.create({
  connection,
  namespace,
  taskQueue: 'exports',
  activities: heartbeating(
    createExportActivities({
      sql: connect(url),
      networks: testNetworks({ BITCOIN_ENABLED: 'true' }),
      mostBytes: { merchant: 1e9, all: 1e9 },
      partLength: Number(partLength),
    }),
  ),
})
await Promise.all([workflows.run(), exports.run()])
