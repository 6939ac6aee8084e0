/** Starts parts together: what it shows, and when it ends. */

import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { startTogether } from '../../local/stack/start-together.js'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] }))
afterEach(() => void vi.useRealTimers())

/** A part that starts when its test says so. */
function part() {
  let settle: { resolve: (value: string) => void; reject: (error: Error) => void } | undefined
  const promise = new Promise<string>((resolve, reject) => {
    settle = { resolve, reject }
  })
  return {
    promise,
    start: (value: string) => settle?.resolve(value),
    fail: (error: Error) => settle?.reject(error),
  }
}

test('names the parts that it waits for, and the time of each at the end', async () => {
  const [fast, slow] = [part(), part()]
  const said: string[] = []
  const all = startTogether((line) => said.push(line), { Fast: fast.promise, Slow: slow.promise, None: null })
  vi.advanceTimersByTime(5_000)
  fast.start('a')
  await sleep(1)
  vi.advanceTimersByTime(5_000)
  slow.start('b')
  expect(await all).toEqual({ Fast: 'a', Slow: 'b', None: null })
  vi.advanceTimersByTime(60_000)
  expect(said).toEqual(['Waiting for Fast, Slow', 'Waiting for Slow', 'Started Fast (5.0 s), Slow (10.0 s)'])
})

test('fails with the first error, after all others have ended', async () => {
  const [bad, late] = [part(), part()]
  let ended = false
  const all = startTogether(() => {}, { Bad: bad.promise, Late: late.promise }).catch((error) => {
    ended = true
    return error
  })
  bad.fail(new Error('it does not start'))
  await sleep(1)
  expect(ended).toBe(false)
  late.start('late')
  expect(await all).toEqual(new Error('it does not start'))
})
