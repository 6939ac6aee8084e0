/** Replays recorded histories of deliveries with the present code. */

import { readdirSync, readFileSync } from 'node:fs'
import { temporal as proto } from '@temporalio/proto'
import { Worker } from '@temporalio/worker'
import { expect, test } from 'vitest'

/** Histories as `temporal.api.history.v1.History`, recorded on a real server. */
const directory = new URL('../histories/', import.meta.url)
const names = readdirSync(directory).filter((name) => name.startsWith('webhook-delivery.'))

test('finds recorded histories', () => {
  expect(names).toHaveLength(4)
})

test.each(names)('replays %s, so that running deliveries survive this version', async (name) => {
  const history = proto.api.history.v1.History.decode(readFileSync(new URL(name, directory)))
  await Worker.runReplayHistory(
    { workflowsPath: new URL('../../workflows/webhook-delivery.ts', import.meta.url).pathname },
    history,
  )
})
