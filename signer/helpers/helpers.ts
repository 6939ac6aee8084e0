/**
 * Shares work with helper threads. The thread that shares a task does it itself unless a helper was quicker,
 * so it never waits for a helper to start, and needs none.
 */

import { availableParallelism } from 'node:os'
import type { Worker } from 'node:worker_threads'
import { log } from '../log.js'
import { PLACE, settle, take } from './place.js'
import type { Task } from './task.js'
import { type Offer, startHelper } from './thread.js'

/** Most helpers. Two have done their work before the thread that signs has done its own. */
const MOST_HELPERS = 2
/** Time after which a task that a helper has taken is done here too. It takes a small part of this. */
const PATIENCE_MS = 5

/** A task that may be done by another thread. */
export interface SharedTask {
  /** Does the task here, unless a helper has it. */
  start(): void
  /**
   * Returns when the task holds. A helper's yes counts; its no is not believed, so that the reason is known.
   *
   * @throws Error of the task itself when it does not hold.
   */
  finish(): void
}

/** A task, and how to do it here. `here` throws an error when the task does not hold. */
export interface Offered {
  readonly task: Task
  readonly here: () => void
}

/** Shares the work of one claim at a time. */
export interface Helpers {
  /** Offers tasks to other threads. @returns One for each, in the same order. */
  offer(tasks: readonly Offered[]): SharedTask[]
  /** Forgets the tasks of a claim that has ended, so that no other thread begins with one. */
  end(): void
}

/** Opens helpers, each when it is first needed. They do not keep the process alive. */
export function openHelpers(start: () => Worker = startHelper, most = helpersHere()): Helpers {
  const helpers: Worker[] = []
  let canStart = true
  /** Tasks of this claim. Helpers begin with the first, this thread with the last. */
  let open: SharedTask[] = []
  let turn = 0

  function next(): Worker | undefined {
    if (canStart && helpers.length < most) add()
    return helpers[turn++ % helpers.length]
  }

  function add(): void {
    try {
      const worker = start()
      worker.unref()
      worker.on('error', (error) => lose(worker, error.message))
      worker.on('messageerror', (error) => lose(worker, error.message))
      worker.on('exit', (code) => lose(worker, `It ended with ${code}`))
      helpers.push(worker)
    } catch (error) {
      giveUp(error instanceof Error ? error.message : 'unknown')
    }
  }

  /** Forgets a helper. What it has taken is done by the thread that shared it. No other one is started. */
  function lose(worker: Worker, reason: string): void {
    const place = helpers.indexOf(worker)
    if (place === -1) return
    helpers.splice(place, 1)
    giveUp(reason)
    void worker.terminate()
  }

  function giveUp(reason: string): void {
    canStart = false
    log('warn', 'A helper thread was lost; signing goes on more slowly', { reason })
  }

  /** Does a task that waits for a helper. @returns False when there is none. */
  function help(): boolean {
    const last = open.pop()
    last?.start()
    return last !== undefined
  }

  return {
    offer(tasks) {
      const places = new Int32Array(new SharedArrayBuffer(4 * tasks.length))
      const offer: Offer = { places, tasks: tasks.map(({ task }) => task) }
      const helper = next()
      helper?.postMessage(offer)
      const shared = tasks.map(({ here }, index) => sharedTask(places, index, here, help))
      if (helper) open.push(...shared)
      return shared
    },
    end() {
      open = []
    },
  }
}

function sharedTask(places: Int32Array, index: number, here: () => void, help: () => boolean): SharedTask {
  /** Result of doing it here. `null` until then. */
  let done: { readonly error: unknown } | { readonly error?: never } | null = null

  function doHere(): void {
    try {
      here()
      done = {}
    } catch (error) {
      done = { error }
    }
    settle(places, index, !('error' in done))
  }

  return {
    start() {
      if (take(places, index)) doHere()
    },
    finish() {
      if (take(places, index)) doHere()
      // While a helper is at it, this thread does what comes later.
      while (Atomics.load(places, index) === PLACE.TAKEN && help());
      Atomics.wait(places, index, PLACE.TAKEN, PATIENCE_MS)
      if (done === null && Atomics.load(places, index) !== PLACE.YES) doHere()
      if (done !== null && 'error' in done) throw done.error
    },
  }
}

/** Returns the number of helpers. On a machine with one processor there is no other to help. */
function helpersHere(): number {
  return Math.min(availableParallelism() - 1, MOST_HELPERS)
}

/** Helpers of this process. */
export const ownHelpers = openHelpers()

/** No helper: every task is done here. */
export const noHelpers = openHelpers(startHelper, 0)
