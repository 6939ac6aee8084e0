/** A worker process that makes reconciliations, for tests that kill it. */

import { Client, Connection } from '@temporalio/client'
import { NativeConnection } from '@temporalio/worker'
import { pino } from 'pino'
import { loadEnvironment } from '../../config/load-environment.js'
import { connect } from '../../db/connect.js'
import { createWorkers } from '../../workers/create-workers.js'
import { loadWorkflowBundle } from '../../workers/load-workflow-bundle.js'
import { testNetworks } from '../stage/test-networks.js'

const [, , url = '', address = '', namespace = ''] = process.argv
const connection = await NativeConnection.connect({ address })
const client = new Client({ connection: await Connection.connect({ address }), namespace })
const { workers } = await createWorkers(
  {
    environment: loadEnvironment({
      KEYTURN_DATABASE_URL: url,
      KEYTURN_MASTER_KEY: '11'.repeat(32),
      KEYTURN_TEMPORAL_NAMESPACE: namespace,
    }),
    networks: testNetworks({ BITCOIN_ENABLED: 'true' }),
    sql: connect(url, { max: 20 }),
    adapters: new Map(),
    connection,
    workflowClient: client.workflow,
    scheduleClient: client.schedule,
    log: pino({ level: 'silent' }),
    bundle: await loadWorkflowBundle(),
    stopping: new AbortController().signal,
  },
  ['core', 'exports'],
)
await Promise.all(workers.map((worker) => worker.run()))
