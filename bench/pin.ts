/** Gives a part a processor core of its own, where the machine has the means. */

import { execFile } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { promisify } from 'node:util'
import type { BenchContext } from './context.js'

const run = promisify(execFile)

/**
 * Moves a process to the last core, and this process to the others until the end of the bench.
 *
 * @returns False if the machine has a single core or no `taskset`. Then the processes share what there is.
 */
export async function pinApart(context: BenchContext, pid: number): Promise<boolean> {
  const last = availableParallelism() - 1
  if (last < 1) return false
  try {
    await pin(pid, `${last}`)
    await pin(process.pid, `0-${last - 1}`)
  } catch {
    return false
  }
  // A failure here must not keep the other parts from being stopped.
  context.onEnd(() => pin(process.pid, `0-${last}`).catch(() => {}))
  return true
}

/** Moves all threads of a process. */
async function pin(pid: number, cores: string): Promise<void> {
  await run('taskset', ['--all-tasks', '--cpu-list', '--pid', cores, `${pid}`])
}
