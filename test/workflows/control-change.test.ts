import { fileURLToPath } from 'node:url'
import type { TestWorkflowEnvironment } from '@temporalio/testing'
import { Worker } from '@temporalio/worker'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ControlChangeProgress } from '../../db/controls/changes/advance-control-change.js'
import { timeSkippingEnvironment } from '../support/time-skipping.js'

const DAY_MS = 86_400_000
let environment: TestWorkflowEnvironment
beforeAll(async () => {
  environment = await timeSkippingEnvironment()
})
afterAll(() => environment?.teardown())

/** Runs one workflow against a row that is only in memory. @returns Its result, and the clock at each look. */
async function run(row: (now: number, look: number) => ControlChangeProgress, signal?: string) {
  const looks: number[] = []
  const worker = await Worker.create({
    connection: environment.nativeConnection,
    taskQueue: 'core',
    workflowsPath: fileURLToPath(new URL('../../workflows/control-change.ts', import.meta.url)),
    activities: {
      async advanceControlChange(_id: string, now: string) {
        looks.push(Date.parse(now))
        return row(Date.parse(now), looks.length)
      },
    },
  })
  const result = await worker.runUntil(async () => {
    const handle = await environment.client.workflow.start('policyChange', {
      workflowId: `policyChange:${Math.random()}`,
      taskQueue: 'core',
      args: [{ id: 'pol_1', kind: 'policy', merchantId: 'mer_1', title: 'limits' }],
    })
    if (!signal) return handle.result()
    await handle.signal(signal)
    // Waiting for the result would let the server skip time, perhaps past a timer that the signal is about to cancel.
    await expect
      .poll(async () => (await handle.describe()).status.name, { timeout: 20_000 })
      .toBe('COMPLETED')
    return handle.result()
  })
  return { result, looks }
}

test('it sleeps through the cool-down and wakes when that is over', async () => {
  let until = 0
  const { result, looks } = await run((now) => {
    until ||= now + DAY_MS
    return now >= until
      ? { state: 'effective', until: null, approvals: 2 }
      : { state: 'cooling_down', until: new Date(until).toISOString(), approvals: 2 }
  })
  expect(result).toBe('effective')
  expect(looks).toHaveLength(2)
  expect(looks[1]).toBeGreaterThanOrEqual(until)
})

test('a decision wakes it before its time, and one that came while it looked is not slept over', async () => {
  const { result, looks } = await run(
    (now, look) =>
      look > 1
        ? { state: 'effective', until: null, approvals: 2 }
        : { state: 'pending_approval', until: new Date(now + 365 * DAY_MS).toISOString(), approvals: 1 },
    'decide',
  )
  expect(result).toBe('effective')
  expect((looks[1] ?? 0) - (looks[0] ?? 0)).toBeLessThan(365 * DAY_MS)
})
