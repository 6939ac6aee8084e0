/** Runs a module of ours as a process of its own, which ends with the run in every case. */

import { fork } from 'node:child_process'
import { unwatch, watch } from '../local/parts/watchdog.js'

export interface Child<Facts> {
  /** What the module reported when it was ready. */
  readonly facts: Facts
  stop(): Promise<void>
}

/**
 * Runs a module, which calls `ready` when it can be used.
 *
 * @param path - The path from this directory, such as `./api-server.ts`.
 * @param options - JSON that the module reads with `childOptions`.
 * @throws Error when the module ends before it is ready.
 */
export async function startChild<Facts>(path: string, options: unknown): Promise<Child<Facts>> {
  const child = fork(new URL(path, import.meta.url), [JSON.stringify(options)], {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    // With a group of its own, Ctrl-C reaches us alone, and the watchdog ends what we leave behind.
    detached: true,
  })
  const { pid } = child
  if (pid === undefined) throw new Error(`${path} cannot be started`)
  watch(pid)
  const ended = new Promise<void>((resolve) =>
    child.once('exit', () => {
      unwatch(pid)
      resolve()
    }),
  )
  const facts = await new Promise<Facts>((resolve, reject) => {
    child.once('message', (message) => resolve(message as Facts))
    void ended.then(() => reject(new Error(`${path} ended before it was ready`)))
  })
  return {
    facts,
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

/** Returns, inside the child, the options with which it was started. */
export function childOptions<Options>(): Options {
  return JSON.parse(process.argv[2] ?? 'null') as Options
}

/** Reports, inside the child, to the parent that it can be used. */
export function ready(facts: unknown): void {
  process.send?.(facts as object)
}
