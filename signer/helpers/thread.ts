/**
 * Starts helper threads, and is their code too. In the executable it is a part of the one file that every
 * thread loads.
 */

import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { settle, take } from './place.js'
import { holds, type Task } from './task.js'

const NAME = 'keyturn-helper'
/** Memory of one thread. A transaction of the largest payload takes a small part of it. */
const LIMITS = { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 16 }

/** Message to a thread: tasks, with the place of each in memory that all threads see. */
export interface Offer {
  readonly places: Int32Array
  readonly tasks: readonly Task[]
}

/** Whether this is a helper, which runs no command. */
export const isHelper = !isMainThread && workerData === NAME

/** Starts a thread. It gets no environment variable, because one may be the passphrase. */
export function startHelper(): Worker {
  const own = new URL(import.meta.url)
  const options = { workerData: NAME, env: {}, execArgv: [], argv: [], resourceLimits: LIMITS }
  return own.pathname.endsWith('.ts')
    ? new Worker(withLoader(own), { ...options, eval: true })
    : new Worker(own, options)
}

/** Returns code that loads TypeScript. A thread does not inherit the loader of its process. */
function withLoader(url: URL): string {
  return `import('tsx/esm/api').then(({ register }) => { register(); return import('${url}') })`
}

if (isHelper) {
  parentPort?.on('message', ({ places, tasks }: Offer) => {
    for (const [index, task] of tasks.entries()) if (take(places, index)) settle(places, index, holds(task))
  })
}
