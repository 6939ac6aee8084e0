/** Heartbeats of long activities. */

import { MockActivityEnvironment } from '@temporalio/testing'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { heartbeating } from '../../activities/heartbeating.js'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('heartbeats while an activity runs and stops at its end', async () => {
  const environment = new MockActivityEnvironment()
  let beats = 0
  environment.on('heartbeat', () => beats++)
  let finish: (value: string) => void = () => {}
  const { work } = heartbeating({
    work: (greeting: string) =>
      new Promise<string>((resolve) => {
        finish = (name) => resolve(`${greeting} ${name}`)
      }),
  })
  const done = environment.run(work, 'Hello')
  await vi.advanceTimersByTimeAsync(30_000)
  expect(beats).toBe(10)
  finish('Bob')
  expect(await done).toBe('Hello Bob')
  await vi.advanceTimersByTimeAsync(30_000)
  expect(beats).toBe(10)
})
