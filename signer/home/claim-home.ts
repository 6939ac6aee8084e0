/** Lets one process use a home at a time. Two writers would destroy the journal. */

import { createHash, randomUUID } from 'node:crypto'
import {
  linkSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { Failure } from '../failure.js'
import { log } from '../log.js'
import type { Home } from './home.js'

/** Interval at which a process that uses a home refreshes the time of its mark. */
const REFRESH_MS = 2_000
/** Time without a refresh after which the process of a mark counts as dead or stopped. */
const STALE_AFTER_MS = 30_000

interface ProcessMark {
  readonly pid: number
  /**
   * Start time and boot of that process, because process ids are used again. `null` where the system does not
   * show them.
   */
  readonly started: string | null
  /**
   * Boot and pid namespace to which `pid` belongs. `null` where the system does not show them, and in older
   * marks.
   */
  readonly namespace: string | null
}

/**
 * Marks the home as used by this process, and refreshes the mark while the process runs. If another process
 * takes the home while this one is stopped for long, this one ends.
 *
 * @returns A function that gives the home back.
 * @throws Failure when another live process uses the home, or took it at this moment.
 */
export function claimHome(home: Home): () => void {
  const mark: ProcessMark = { pid: process.pid, started: startOf(process.pid), namespace: ownNamespace() }
  // Each mark is a unique text, so that a successor belongs to one mark alone.
  const mine = JSON.stringify({ ...mark, claim: randomUUID() })
  const draft = `${home.process}.${process.pid}.new`
  writeFileSync(draft, mine, { mode: 0o600 })
  try {
    take(home.process, draft, home)
  } finally {
    rmSync(draft, { force: true })
  }
  const timer = setInterval(() => refresh(home, mine), REFRESH_MS)
  timer.unref()
  return () => {
    clearInterval(timer)
    if (textOf(home.process) === mine) rmSync(home.process, { force: true })
  }
}

function refresh(home: Home, mine: string): void {
  const found = textOf(home.process)
  if (found === mine) {
    const now = new Date()
    utimesSync(home.process, now, now)
  } else if (found !== null) {
    log('error', 'Ended: another process has taken the home of this signer', { home: home.directory })
    process.exit(1)
  }
}

/**
 * Creates a file with the draft's text, or replaces one whose process is dead. Of all processes that find the
 * same dead mark, only one can create the file of its successor. A process that creates it after the mark was
 * replaced sees that and gives up.
 */
function take(file: string, draft: string, home: Home): void {
  if (isMade(file, draft)) return
  const found = textOf(file)
  // Another process gave the home back just now.
  if (found === null) {
    take(file, draft, home)
    return
  }
  const other = parseMark(found)
  if (other && isForeign(other)) {
    const left = staleIn(file)
    if (left > 0) {
      const seconds = Math.ceil(left / 1_000)
      throw new Failure(
        `A process in another container, or of an earlier boot, uses ${home.directory}. If it has ended, try again in ${seconds} seconds`,
      )
    }
  } else if (other && other.pid !== process.pid && isAlive(other)) {
    throw new Failure(`Process ${other.pid} uses ${home.directory} already`)
  }
  const successor = `${home.process}.${createHash('sha256').update(found).digest('hex').slice(0, 32)}`
  take(successor, draft, home)
  if (textOf(file) !== found) {
    rmSync(successor, { force: true })
    throw new Failure(`Another process took ${home.directory} at this moment`)
  }
  renameSync(successor, file)
}

/** Creates a file with all of its text at once. @returns False when the file exists. */
function isMade(file: string, draft: string): boolean {
  try {
    linkSync(draft, file)
    return true
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null
    if (code === 'EEXIST') return false
    throw error
  }
}

/** Returns the id of the process that uses a home now. `null` when none does. */
export function processOf(home: Home): number | null {
  const mark = readMark(home)
  if (!mark) return null
  const lives = isForeign(mark) ? staleIn(home.process) > 0 : isAlive(mark)
  return lives ? mark.pid : null
}

function readMark(home: Home): ProcessMark | null {
  const text = textOf(home.process)
  return text === null ? null : parseMark(text)
}

/** Returns the text of a file. `null` where there is none. */
function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}

function parseMark(text: string): ProcessMark | null {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || !('pid' in value)) return null
    const started = 'started' in value && typeof value.started === 'string' ? value.started : null
    const namespace = 'namespace' in value && typeof value.namespace === 'string' ? value.namespace : null
    return typeof value.pid === 'number' ? { pid: value.pid, started, namespace } : null
  } catch {
    return null
  }
}

function isAlive(mark: ProcessMark): boolean {
  if (mark.started !== null) return startOf(mark.pid) === mark.started
  try {
    process.kill(mark.pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

/** Returns whether the mark's process id belongs to another pid namespace, where this process cannot look it up. */
function isForeign({ namespace }: ProcessMark): boolean {
  return namespace !== null && namespace !== ownNamespace()
}

/**
 * Returns the milliseconds until a mark counts as stale, and 0 once it does. A mark with a time in the future
 * was refreshed before the clock was set back, and not since.
 */
function staleIn(file: string): number {
  try {
    return Math.max(0, STALE_AFTER_MS - Math.abs(Date.now() - statSync(file).mtimeMs))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 0
    throw error
  }
}

/** Returns the boot and the pid namespace of this process. `null` where there is no /proc. */
function ownNamespace(): string | null {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return `${boot}/${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    return null
  }
}

/** Returns field 22 of /proc/PID/stat with the boot id. `null` where there is no /proc. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    // The second field may hold spaces and brackets. The text after its last bracket does not.
    const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
    return started ? `${boot}/${started}` : null
  } catch {
    return null
  }
}
