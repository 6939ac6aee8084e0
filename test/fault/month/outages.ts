/** Stops parts of a running stack for a while, without ending them, as a machine that hangs does. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { FaultStack } from '../stack.js'

/** Processes that can be frozen. */
type Freezable = 'ethereum' | 'bitcoin' | 'merchant' | 'signer'

/** Freezes a process for a while. The processes that ask it wait, time out and try again. */
export function freeze(stack: FaultStack, name: Freezable, forMs: number): Promise<void> {
  return whileFrozen(stack, name, () => sleep(forMs))
}

/** Freezes a process until `work` has ended. @returns What it returns. */
export async function whileFrozen<T>(stack: FaultStack, name: Freezable, work: () => Promise<T>): Promise<T> {
  const pid = stack.facts().pids[name]
  if (pid === undefined) throw new Error(`${name} does not run`)
  const began = Date.now()
  process.kill(pid, 'SIGSTOP')
  try {
    return await work()
  } finally {
    process.kill(pid, 'SIGCONT')
    console.log(`${name} (${pid}) was frozen for ${Date.now() - began} ms`)
  }
}
