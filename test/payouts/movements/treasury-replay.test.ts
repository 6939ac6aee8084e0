import { readdirSync, readFileSync } from 'node:fs'
import { temporal as proto } from '@temporalio/proto'
import { Worker } from '@temporalio/worker'
import { beforeAll, expect, test } from 'vitest'
import { loadWorkflowBundle } from '../../../workers/load-workflow-bundle.js'

/** As `temporal.api.history.v1.History`, kept by `KEYTURN_RECORD_HISTORIES=1 npx vitest run test/treasury`. */
const directory = new URL('../../histories/', import.meta.url)
const names = readdirSync(directory).filter((name) => /^(consolidation|rebalance)\./.test(name))
let codePath: string

beforeAll(async () => {
  codePath = await loadWorkflowBundle()
})

test('every way that a movement goes was recorded', () => {
  expect(names.sort()).toEqual([
    'consolidation.native.pb',
    'consolidation.outputs.pb',
    'consolidation.reverted.pb',
    'consolidation.token.pb',
    'rebalance.gathers.pb',
    'rebalance.up.pb',
  ])
})

test.each(names)('%s replays: what is running survives this version of the workflow', async (name) => {
  const history = proto.api.history.v1.History.decode(readFileSync(new URL(name, directory)))
  await Worker.runReplayHistory({ workflowBundle: { codePath } }, history)
})
