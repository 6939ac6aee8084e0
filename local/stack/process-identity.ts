/** A process id says who runs only together with its start: numbers are used again. */

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** When a process began, in the system's own words; null when it does not run (a zombie does not). */
export function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name in parentheses may hold anything; what follows the last one is regular (proc_pid_stat(5)).
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return state === 'Z' ? null : (fields[18] ?? null)
  } catch {
    if (process.platform === 'linux') return null
    const { status, stdout } = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' })
    return status === 0 ? stdout.trim() || null : null
  }
}
