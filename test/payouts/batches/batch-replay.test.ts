import { readdirSync, readFileSync } from 'node:fs'
import { temporal as proto } from '@temporalio/proto'
import { Worker } from '@temporalio/worker'
import { beforeAll, expect, test } from 'vitest'
import { loadWorkflowBundle } from '../../../workers/load-workflow-bundle.js'

/** As `temporal.api.history.v1.History`, kept by `KEYTURN_RECORD_HISTORIES=1 npx vitest run test/batches`. */
const directory = new URL('../../histories/', import.meta.url)
const names = readdirSync(directory).filter((name) => name.startsWith('batch.'))
let codePath: string

beforeAll(async () => {
  codePath = await loadWorkflowBundle()
})

test('every way that a batch goes was recorded', () => {
  expect(names.map((name) => name.split('.')[1]).sort()).toEqual([
    'btc',
    'cancelled',
    'confirmed',
    'partial',
    'rejected',
  ])
})

test.each(names)('%s replays: what is running survives this version of the workflow', async (name) => {
  const history = proto.api.history.v1.History.decode(readFileSync(new URL(name, directory)))
  await Worker.runReplayHistory({ workflowBundle: { codePath } }, history)
})
