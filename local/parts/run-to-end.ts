/** Runs a command to its end. */

import { spawn } from 'node:child_process'
import type { Say } from './say.js'

/**
 * Runs a command to its end and passes its output to `say` line by line.
 *
 * @returns The reason of a failure, or `null`.
 */
export async function runToEnd(
  command: string,
  args: readonly string[],
  options: {
    readonly env?: Record<string, string>
    readonly cwd?: string
    readonly say?: Say
    readonly uid?: number
    readonly gid?: number
  } = {},
): Promise<string | null> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(options.uid === undefined ? {} : { uid: options.uid }),
      ...(options.gid === undefined ? {} : { gid: options.gid }),
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    })
    let last = ''
    const take = (chunk: Buffer) => {
      for (const line of chunk
        .toString('utf8')
        .split('\n')
        .map((each) => each.trim())) {
        if (!line) continue
        last = line
        options.say?.(line)
      }
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code) => resolve(code === 0 ? null : last || `exit code ${code}`))
  })
}
