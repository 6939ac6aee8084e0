/** Tests that one process uses a home, also when another takes it between two of its steps. */

import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { claimHome, processOf } from '../../signer/home/claim-home.js'
import { homeAt } from '../../signer/home/home.js'

const between = vi.hoisted(() => ({ steps: 0, at: -1, happens: () => undefined as unknown }))

/** Runs a function before one step on the disk, counted from 0. */
vi.mock('node:fs', async (original) => {
  const real = await original<typeof fs>()
  const counted =
    <A extends unknown[], R>(use: (...args: A) => R) =>
    (...args: A): R => {
      if (between.steps++ === between.at) between.happens()
      return use(...args)
    }
  return {
    ...real,
    writeFileSync: counted(real.writeFileSync),
    linkSync: counted(real.linkSync),
    renameSync: counted(real.renameSync),
    rmSync: counted(real.rmSync),
    readFileSync: ((path: string, ...rest: []) =>
      // A read of /proc is not a step.
      path.startsWith('/proc')
        ? real.readFileSync(path, ...rest)
        : counted(real.readFileSync)(path, ...rest)) as typeof fs.readFileSync,
  }
})

const own = process.pid
let directory: string
beforeEach(() => {
  directory = fs.mkdtempSync(join(tmpdir(), 'keyturn-claim-'))
})
afterEach(() => {
  between.at = -1
  fs.rmSync(directory, { recursive: true })
})

/** Claims in the name of another live process, the parent of this one. */
function claimAsOther(): () => void {
  Object.defineProperty(process, 'pid', { value: process.ppid, configurable: true })
  try {
    return claimHome(homeAt(directory))
  } finally {
    Object.defineProperty(process, 'pid', { value: own, configurable: true })
  }
}

const outcome = (claim: () => unknown): boolean => {
  try {
    claim()
    return true
  } catch {
    return false
  }
}

const DEAD = '{"pid":4000000,"started":"another boot/1"}'
/** More steps than a claim takes. */
const STEPS = 12

test.each([
  ['the mark of a process that is dead', DEAD],
  ['a mark that nothing can read', '\0\0'],
  ['no mark', null],
])('gives a home with %s to one of two processes, at every step of the other in between', (_what, mark) => {
  for (let at = 0; at < STEPS; at++) {
    fs.rmSync(join(directory, 'process.json'), { force: true })
    if (mark !== null) fs.writeFileSync(join(directory, 'process.json'), mark)
    let other = false
    Object.assign(between, { steps: 0, at, happens: () => (other = outcome(claimAsOther)) })
    const mine = outcome(() => claimHome(homeAt(directory)))
    between.at = -1
    if (!other) expect(mine, `step ${at}`).toBe(true)
    else expect(mine, `step ${at}`).toBe(false)
    expect(processOf(homeAt(directory)), `step ${at}`).toBe(mine ? own : process.ppid)
    expect(fs.readdirSync(directory)).toEqual(['process.json'])
  }
})

test('gives the home to the next process when one was killed while it took the place of a dead one', () => {
  fs.writeFileSync(join(directory, 'process.json'), DEAD)
  for (let at = 0; at < STEPS; at++) {
    Object.assign(between, {
      steps: 0,
      at,
      happens: () => {
        throw new Error('killed')
      },
    })
    outcome(() => claimHome(homeAt(directory)))
    between.at = -1
    const release = claimHome(homeAt(directory))
    expect(processOf(homeAt(directory))).toBe(own)
    expect(outcome(claimAsOther)).toBe(false)
    release()
    expect(processOf(homeAt(directory))).toBe(null)
    fs.writeFileSync(join(directory, 'process.json'), DEAD)
  }
})

/**
 * Writes the mark of a process in another container with the same process id, which it refreshed so many
 * seconds ago.
 */
function markElsewhere(mark: string, secondsAgo: number): void {
  const path = join(directory, 'process.json')
  fs.writeFileSync(path, JSON.stringify({ ...JSON.parse(mark), namespace: 'another' }))
  const at = Date.now() / 1_000 - secondsAgo
  fs.utimesSync(path, at, at)
}

test('refuses a home that a process of another pid namespace refreshes, and says how long to wait', () => {
  const release = claimHome(homeAt(directory))
  const mark = fs.readFileSync(join(directory, 'process.json'), 'utf8')
  release()
  markElsewhere(mark, 10)
  expect(() => claimHome(homeAt(directory))).toThrow(/another container.* (19|20) seconds/)
  expect(processOf(homeAt(directory))).toBe(own)
  markElsewhere(mark, 31)
  expect(processOf(homeAt(directory))).toBe(null)
  claimHome(homeAt(directory))()
  // The clock was set back after the last refresh, so the mark is stale by this clock.
  markElsewhere(mark, -3_600)
  claimHome(homeAt(directory))()
})

test('refreshes its mark while it runs, and ends when another process has taken the home', () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  const ended = vi.spyOn(process, 'exit').mockImplementation(() => undefined as never)
  vi.spyOn(process.stdout, 'write').mockReturnValue(true)
  try {
    const path = join(directory, 'process.json')
    const release = claimHome(homeAt(directory))
    fs.utimesSync(path, 0, 0)
    vi.advanceTimersByTime(5_000)
    expect(fs.statSync(path).mtimeMs).toBeGreaterThan(Date.now() - 5_000)
    expect(ended).not.toHaveBeenCalled()
    fs.writeFileSync(path, DEAD)
    vi.advanceTimersByTime(5_000)
    expect(ended).toHaveBeenCalledWith(1)
    release()
    expect(vi.getTimerCount()).toBe(0)
  } finally {
    vi.useRealTimers()
    vi.restoreAllMocks()
  }
})
