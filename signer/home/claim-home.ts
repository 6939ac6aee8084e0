/** One process a home: two writers would tear the journal apart. */

import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Failure } from '../failure.js'
import type { Home } from './home.js'

interface ProcessMark {
  readonly pid: number
  /** Start time and boot of that process where the system tells them: process ids are used again. */
  readonly started: string | null
}

/**
 * Marks the home as used by this process.
 *
 * @returns A function that gives it back.
 * @throws Failure when another process that is alive uses it.
 */
export function claimHome(home: Home): () => void {
  const mine: ProcessMark = { pid: process.pid, started: startOf(process.pid) }
  try {
    writeFileSync(home.process, JSON.stringify(mine), { flag: 'wx', mode: 0o600 })
  } catch {
    const other = readMark(home)
    if (other && other.pid !== process.pid && isAlive(other)) {
      throw new Failure(`Process ${other.pid} uses ${home.directory} already`)
    }
    writeFileSync(home.process, JSON.stringify(mine), { mode: 0o600 })
  }
  return () => {
    if (readMark(home)?.pid === process.pid) rmSync(home.process, { force: true })
  }
}

/** The process that uses a home now, or null. */
export function processOf(home: Home): number | null {
  const mark = readMark(home)
  return mark && isAlive(mark) ? mark.pid : null
}

function readMark(home: Home): ProcessMark | null {
  if (!existsSync(home.process)) return null
  try {
    const value: unknown = JSON.parse(readFileSync(home.process, 'utf8'))
    if (typeof value !== 'object' || value === null || !('pid' in value)) return null
    const started = 'started' in value && typeof value.started === 'string' ? value.started : null
    return typeof value.pid === 'number' ? { pid: value.pid, started } : null
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

/** Field 22 of /proc/PID/stat and the boot id; null where there is no /proc. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    // The second field may hold spaces and brackets; what follows its last bracket does not.
    const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
    return started ? `${boot}/${started}` : null
  } catch {
    return null
  }
}
