/** Replays recorded histories of deposits and watchers with the present code. */

import { readdirSync, readFileSync } from 'node:fs'
import { temporal as proto } from '@temporalio/proto'
import { Worker } from '@temporalio/worker'
import { beforeAll, expect, test } from 'vitest'
import { loadWorkflowBundle } from '../../workers/load-workflow-bundle.js'

/**
 * Histories as `temporal.api.history.v1.History`, stored by `KEYTURN_RECORD_HISTORIES=1 npx vitest run
 * test/workflows`.
 */
const directory = new URL('../histories/', import.meta.url)
const names = readdirSync(directory).filter((name) => /^(deposit|chain-watcher|sweeper)\./.test(name))
let codePath: string

beforeAll(async () => {
  codePath = await loadWorkflowBundle()
})

test('finds a history for every path of a deposit', () => {
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

test.each(names)('replays %s, so that running workflows survive this version', async (name) => {
  const history = proto.api.history.v1.History.decode(readFileSync(new URL(name, directory)))
  await Worker.runReplayHistory({ workflowBundle: { codePath } }, history)
})
