/** Replays recorded histories of withdrawals, as this version of the workflow would after a deployment. */

import { readdirSync, readFileSync } from 'node:fs'
import { temporal as proto } from '@temporalio/proto'
import { Worker } from '@temporalio/worker'
import { beforeAll, describe, expect, test } from 'vitest'
import { loadWorkflowBundle } from '../../workers/load-workflow-bundle.js'

/**
 * Histories as `temporal.api.history.v1.History`, recorded by `KEYTURN_RECORD_HISTORIES=1 npx vitest run
 * test/workflows`.
 */
const RECORDED = new URL('../histories/', import.meta.url)
/**
 * Histories of runs that began before `advanceWithdrawal`. They go with `workflows/withdrawal-before-
 * advance.ts`.
 */
const BEFORE_ADVANCE = new URL('../histories/before-advance/', import.meta.url)
/**
 * Histories of runs that began before `carryWithdrawal`. They go with `workflows/withdrawal-in-steps.ts`.
 */
const BEFORE_CARRY = new URL('../histories/before-carry/', import.meta.url)
const WAYS = [
  'batch-part',
  'btc',
  'cancelled',
  'cancelled-at-signer',
  'cancelled-on-chain',
  'confirmed',
  'expired',
  'lagging',
  'late-refusal',
  'lost-reply',
  'mismatch',
  'node-down',
  'nonce-lost',
  'refused',
  'rejected',
  'replaced',
  'restarted',
  'reverted',
  'signer-away',
  'would-revert',
]
let codePath: string

beforeAll(async () => {
  codePath = await loadWorkflowBundle()
})

const namesIn = (directory: URL) => readdirSync(directory).filter((name) => name.startsWith('withdrawal.'))
const read = (directory: URL, name: string) =>
  proto.api.history.v1.History.decode(readFileSync(new URL(name, directory)))

describe.each([
  ['today', RECORDED, [...WAYS, 'expired-in-review', 'ordinary']],
  ['before carryWithdrawal', BEFORE_CARRY, [...WAYS, 'expired-in-review']],
  ['before advanceWithdrawal', BEFORE_ADVANCE, WAYS],
] as const)('runs that began %s', (_when, directory, ways) => {
  test('are recorded for every way that a withdrawal can go', () => {
    expect(
      namesIn(directory)
        .map((name) => name.split('.')[1])
        .sort(),
    ).toEqual([...ways].sort())
  })

  test.each(namesIn(directory))('replay %s', async (name) => {
    await Worker.runReplayHistory({ workflowBundle: { codePath } }, read(directory, name))
  })
})

/** Events before the transaction of a withdrawal is built. Later ones depend on when blocks come. */
function eventsUntilBuilt(directory: URL): number {
  const { events } = read(directory, 'withdrawal.confirmed.pb')
  const built = events.findIndex((event) => event.activityTaskScheduledEventAttributes)
  expect(built).toBeGreaterThan(0)
  return built
}

test('needs fewer events until a withdrawal is built than runs that began before advanceWithdrawal', () => {
  expect(eventsUntilBuilt(RECORDED)).toBeLessThan(eventsUntilBuilt(BEFORE_ADVANCE))
})
