import { readFileSync } from 'node:fs'
import { temporal as proto } from '@temporalio/proto'
import { Worker } from '@temporalio/worker'
import { test } from 'vitest'
import { loadWorkflowBundle } from '../../../workers/load-workflow-bundle.js'

test('a firing that was recorded replays', async () => {
  const file = new URL('../../histories/scheduled-withdrawal.created.pb', import.meta.url)
  const history = proto.api.history.v1.History.decode(readFileSync(file))
  await Worker.runReplayHistory({ workflowBundle: { codePath: await loadWorkflowBundle() } }, history)
})
