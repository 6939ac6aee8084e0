/** Keeps the processes of the stack running: starts each again that dies, and shows it. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Say } from '../parts/say.js'
import type { RunningProcess } from '../parts/start-process.js'
import type { RecordedProcess } from './clean-up.js'
import { type Home, writeJson } from './home.js'
import { startOf } from './process-identity.js'

/** First wait before a restart. Each further death doubles it, up to the longest wait. */
const BACKOFF_MS = 200
const LONGEST_BACKOFF_MS = 10_000
/** Milliseconds of running after which the next restart has the first wait again. */
const STEADY_MS = 20_000

export interface Supervisor {
  /**
   * Starts a process and keeps it running until `stop`.
   *
   * @param start - Starts the process, and resolves when it is ready. It is called for every start.
   * @returns The result of the first start.
   */
  keep<T extends RunningProcess>(name: string, start: () => Promise<T>): Promise<T>
  /**
   * Keeps a part running as `keep` does: a process such as a node or a database, which uses no other process of
   * the stack.
   */
  keepPart<T extends RunningProcess>(name: string, start: () => Promise<T>): Promise<T>
  /** Returns the current process ids by name. */
  pids(): Readonly<Record<string, number>>
  /**
   * Ends all processes: the last started first, and then all parts at the same time. Settles when none is left.
   */
  stop(): Promise<void>
}

/** Creates a supervisor. @param changed - Called after every change of the process ids. */
export function createSupervisor(home: Home, say: Say, changed: () => void): Supervisor {
  const kept = new Map<string, RunningProcess>()
  const order: string[] = []
  const parts: string[] = []
  const loops: Promise<void>[] = []
  const stopping = new AbortController()

  function record(): void {
    const children = [...kept].flatMap(([name, { pid }]): RecordedProcess[] => {
      const start = startOf(pid)
      return start === null ? [] : [{ name, pid, start }]
    })
    writeJson(home.processesFile, {
      supervisor: { name: 'supervisor', pid: process.pid, start: startOf(process.pid) ?? '' },
      children,
    })
    changed()
  }

  async function restart(name: string, first: RunningProcess, start: () => Promise<RunningProcess>) {
    let running = first
    let backoff = BACKOFF_MS
    while (!stopping.signal.aborted) {
      const since = Date.now()
      const { code, signal } = await running.exited
      kept.delete(name)
      if (stopping.signal.aborted) return
      if (Date.now() - since > STEADY_MS) backoff = BACKOFF_MS
      say(`${name} ended (${signal ?? `code ${code}`}): starting it again`)
      for (;;) {
        await sleep(backoff, undefined, { signal: stopping.signal }).catch(() => {})
        if (stopping.signal.aborted) return
        backoff = Math.min(backoff * 2, LONGEST_BACKOFF_MS)
        try {
          running = await start()
          break
        } catch (error) {
          if (stopping.signal.aborted) return
          say(`${name} does not start yet: ${error instanceof Error ? error.message.split('\n')[0] : error}`)
        }
      }
      if (stopping.signal.aborted) {
        await running.stop()
        return
      }
      kept.set(name, running)
      record()
      say(`${name} runs again (process ${running.pid})`)
    }
  }

  async function keep<T extends RunningProcess>(name: string, start: () => Promise<T>, among: string[]) {
    const running = await start()
    if (stopping.signal.aborted) {
      await running.stop()
      throw new Error('The stack is being stopped')
    }
    kept.set(name, running)
    among.push(name)
    record()
    loops.push(restart(name, running, start))
    return running
  }

  return {
    keep: (name, start) => keep(name, start, order),
    keepPart: (name, start) => keep(name, start, parts),
    pids: () => Object.fromEntries([...kept].map(([name, { pid }]) => [name, pid])),
    async stop() {
      stopping.abort()
      // A process ends before the parts that it uses, so that none misses its part.
      for (const name of [...order].reverse()) await kept.get(name)?.stop()
      await Promise.all(parts.map((name) => kept.get(name)?.stop()))
      await Promise.all(loops)
    },
  }
}
