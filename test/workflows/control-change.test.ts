/** The workflow of a control change sleeps through the cool-down and wakes at decisions. */

import type { TestWorkflowEnvironment } from '@temporalio/testing'
import { Worker } from '@temporalio/worker'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ControlChangeProgress } from '../../db/controls/changes/advance-control-change.js'
import { loadWorkflowBundle } from '../../workers/load-workflow-bundle.js'
import { timeSkippingEnvironment } from '../support/time-skipping.js'

const DAY_MS = 86_400_000
let environment: TestWorkflowEnvironment
beforeAll(async () => {
  environment = await timeSkippingEnvironment()
})
afterAll(() => environment?.teardown())

/** Runs one workflow on a row in memory. @returns Its result, and the clock at each check of the row. */
async function run(row: (now: number, check: number) => ControlChangeProgress, signal?: string) {
  const checks: number[] = []
  const worker = await Worker.create({
    connection: environment.nativeConnection,
    taskQueue: 'core',
    workflowBundle: { codePath: await loadWorkflowBundle() },
    activities: {
      async advanceControlChange(_id: string, now: string) {
        checks.push(Date.parse(now))
        return row(Date.parse(now), checks.length)
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
    // A signal before the first check wakes nothing: that check reads the row as it is by then.
    await expect.poll(() => checks.length, { timeout: 20_000 }).toBeGreaterThan(0)
    await handle.signal(signal)
    // Waiting for the result would let the server skip time, perhaps past a timer that the signal must
    // cancel.
    await expect
      .poll(async () => (await handle.describe()).status.name, { timeout: 20_000 })
      .toBe('COMPLETED')
    return handle.result()
  })
  return { result, checks }
}

test('sleeps through the cool-down and wakes when that ends', async () => {
  let until = 0
  const { result, checks } = await run((now) => {
    until ||= now + DAY_MS
    return now >= until
      ? { state: 'effective', until: null, approvals: 2 }
      : { state: 'cooling_down', until: new Date(until).toISOString(), approvals: 2 }
  })
  expect(result).toBe('effective')
  expect(checks).toHaveLength(2)
  expect(checks[1]).toBeGreaterThanOrEqual(until)
})

test('wakes early at a decision, also at one that came during its check', async () => {
  const { result, checks } = await run(
    (now, check) =>
      check > 1
        ? { state: 'effective', until: null, approvals: 2 }
        : { state: 'pending_approval', until: new Date(now + 365 * DAY_MS).toISOString(), approvals: 1 },
    'decide',
  )
  expect(result).toBe('effective')
  expect((checks[1] ?? 0) - (checks[0] ?? 0)).toBeLessThan(365 * DAY_MS)
})
