/** The worker's checks of nodes. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ChainAdapter } from '../../chains/adapter.js'
import type { NodeReport } from '../../chains/node-report.js'
import { listNodes } from '../../db/operations/list-nodes.js'
import { watchNodes } from '../../workers/watch-nodes.js'
import { bitcoin } from '../stage/deposit-steps.js'
import { freshDatabase, type TestDatabase } from '../support/database.js'

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database?.drop())

test('logs each change of a node once and stores the latest report', async () => {
  let reports: NodeReport[] = [
    { endpoint: 1, state: 'wrong_chain', reason: 'it serves another chain' },
    { endpoint: 2, state: 'ok', reason: null },
  ]
  const adapter = { network: bitcoin, inspect: async () => reports } as unknown as ChainAdapter
  const lines: string[] = []
  const log = {
    info: (_facts: object, message: string) => lines.push(`info ${message}`),
    warn: (_facts: object, message: string) => lines.push(`warn ${message}`),
    error: (facts: object, message: string) => lines.push(`error ${message}: ${JSON.stringify(facts)}`),
  }
  const watch = watchNodes(database.sql, new Map([['bitcoin', adapter]]), log, 20)
  await watch.checked
  expect(await listNodes(database.sql)).toMatchObject([
    { network: 'bitcoin', endpoint: 1, state: 'wrong_chain', reason: 'it serves another chain' },
    { network: 'bitcoin', endpoint: 2, state: 'ok', reason: null },
  ])
  await expect
    .poll(async () => (await database.sql`SELECT 1 FROM chain_nodes WHERE seen_at > since`).length)
    .toBe(2)
  expect(lines).toEqual([
    'error A node is not used: {"network":"bitcoin","endpoint":1,"state":"wrong_chain","reason":"it serves another chain"}',
  ])

  reports = [{ endpoint: 1, state: 'ok', reason: null }]
  await expect.poll(() => listNodes(database.sql)).toHaveLength(1)
  watch.stop()
  expect(lines[1]).toBe('info A node may be used again')
})
