/** Stops parts of a running stack for a while, without ending them, as a machine that hangs does. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { FaultStack } from '../stack.js'

/** Freezes a process for a while. The processes that ask it wait, time out and try again. */
export async function freeze(
  stack: FaultStack,
  name: 'ethereum' | 'bitcoin' | 'merchant',
  forMs: number,
): Promise<void> {
  const pid = stack.facts().pids[name]
  if (pid === undefined) throw new Error(`${name} does not run`)
  process.kill(pid, 'SIGSTOP')
  try {
    await sleep(forMs)
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  console.log(`${name} (${pid}) was frozen for ${forMs} ms`)
}
