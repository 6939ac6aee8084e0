/** Cleans up after a supervisor that was killed. */

import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { Say } from '../parts/say.js'
import { type Home, readJson } from './home.js'
import { startOf } from './process-identity.js'

const recorded = z.object({ name: z.string(), pid: z.int().positive(), start: z.string() })

/** Content of `processes.json`. */
export const processesSchema = z.object({ supervisor: recorded, children: z.array(recorded) })
export type RecordedProcess = z.infer<typeof recorded>

const GRACE_MS = 6_000

/**
 * Ends the child processes that an earlier supervisor of this home left. A process that has the number of a
 * child now, but another start, is left alone.
 *
 * @throws Error when that supervisor still runs.
 */
export async function cleanUp(home: Home, say: Say): Promise<void> {
  const parsed = processesSchema.safeParse(readJson(home.processesFile))
  if (!parsed.success) return
  const { supervisor, children } = parsed.data
  if (supervisor.pid !== process.pid && startOf(supervisor.pid) === supervisor.start)
    throw new Error(`The stack of ${home.path} runs already (process ${supervisor.pid}); stop it first`)
  const left = () => children.filter((child) => startOf(child.pid) === child.start)
  if (left().length === 0) return
  say(
    `Ending what an earlier run left: ${left()
      .map((child) => `${child.name} (${child.pid})`)
      .join(', ')}`,
  )
  for (const child of left()) signal(child.pid, 'SIGINT')
  for (const deadline = Date.now() + GRACE_MS; left().length > 0 && Date.now() < deadline; ) await sleep(50)
  for (const child of left()) signal(child.pid, 'SIGKILL')
  for (const deadline = Date.now() + GRACE_MS; left().length > 0 && Date.now() < deadline; ) await sleep(50)
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    // Each child leads a process group.
    process.kill(-pid, name)
  } catch {
    // The process ended in the meantime.
  }
}
