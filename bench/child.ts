/** A module of ours as a process of its own; it ends with the run, however that ends. */

import { fork } from 'node:child_process'
import { unwatch, watch } from '../local/parts/watchdog.js'

export interface Child<Facts> {
  /** What the module said once it was ready. */
  readonly facts: Facts
  stop(): Promise<void>
}

/**
 * Runs a module, which calls `ready` when it can be used.
 *
 * @param path - Relative to this directory, e.g. `./api-server.ts`.
 * @param options - JSON; the module reads it with `childOptions`.
 * @throws Error when it ends before it is ready.
 */
export async function startChild<Facts>(path: string, options: unknown): Promise<Child<Facts>> {
  const child = fork(new URL(path, import.meta.url), [JSON.stringify(options)], {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    // A group of its own: Ctrl-C reaches us alone, and the watchdog ends what we leave behind.
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

/** Inside the child: what it was started with. */
export function childOptions<Options>(): Options {
  return JSON.parse(process.argv[2] ?? 'null') as Options
}

/** Inside the child: sends the parent the message that it is ready. */
export function ready(facts: unknown): void {
  process.send?.(facts as object)
}
