/** Identifies a process by its id and its start, because systems use ids again. */

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/**
 * Returns when a process began, as the system writes it. `null` when it does not run; a zombie does not run.
 */
export function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name in parentheses may hold any text. The fields after the last parenthesis are regular
    // (proc_pid_stat(5)).
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return state === 'Z' ? null : (fields[18] ?? null)
  } catch {
    if (process.platform === 'linux') return null
    const { status, stdout } = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' })
    return status === 0 ? stdout.trim() || null : null
  }
}
