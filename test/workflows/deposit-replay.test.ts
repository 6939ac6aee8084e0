import { readdirSync, readFileSync } from 'node:fs'
import { temporal as proto } from '@temporalio/proto'
import { Worker } from '@temporalio/worker'
import { beforeAll, expect, test } from 'vitest'
import { loadWorkflowBundle } from '../../workers/load-workflow-bundle.js'

/** As `temporal.api.history.v1.History`, kept by `KEYTURN_RECORD_HISTORIES=1 npx vitest run test/workflows`. */
const directory = new URL('../histories/', import.meta.url)
const names = readdirSync(directory).filter((name) => /^(deposit|chain-watcher|sweeper)\./.test(name))
let codePath: string

beforeAll(async () => {
  codePath = await loadWorkflowBundle()
})

test('every way that a deposit goes was recorded', () => {
  expect(names.sort()).toEqual(
    [
      'chain-watcher.continued.pb',
      'deposit.block.pb',
      'deposit.catch-up.pb',
      'deposit.held.pb',
      'deposit.mempool.pb',
      'deposit.replaced.pb',
      'deposit.reverted.pb',
      'deposit.screened.pb',
      'sweeper.swept.pb',
    ].sort(),
  )
})

test.each(names)('%s replays: what is running survives this version of the workflow', async (name) => {
  const history = proto.api.history.v1.History.decode(readFileSync(new URL(name, directory)))
  await Worker.runReplayHistory({ workflowBundle: { codePath } }, history)
})
