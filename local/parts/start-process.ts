/** Starts a part as a process with its own process group and log file, guarded by the watchdog. */

import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { unwatch, watch } from './watchdog.js'

export interface ProcessOptions {
  /** Name for messages, such as `PostgreSQL`. */
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  /** Variables that are added to our own environment. `undefined` removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
  /** File to which standard output and error are appended. */
  readonly logFile: string
  readonly uid?: number
  readonly gid?: number
  /** Signal that requests an end in order. Default: SIGTERM. */
  readonly stopSignal?: NodeJS.Signals
  /** Milliseconds from that signal until the process is killed. Default: 10,000. */
  readonly stopGrace?: number
}

export interface RunningProcess {
  readonly name: string
  readonly pid: number
  /** Settles when the process ends, for any reason. */
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
  /** Ends the process in order, or kills it and its group when it does not end. Settles when it is gone. */
  stop(): Promise<void>
}

/** Logs of the processes that run, by process id. */
const logs = new Map<number, { readonly name: string; readonly logFile: string }>()

/** Returns the logs of the processes that this process started and that still run. */
export function runningLogs(): { readonly name: string; readonly logFile: string }[] {
  return [...logs.values()]
}

/** Starts a process. @throws Error when the executable cannot be started at all. */
export async function startProcess(options: ProcessOptions): Promise<RunningProcess> {
  mkdirSync(dirname(options.logFile), { recursive: true })
  const log = openSync(options.logFile, 'a')
  const child = spawn(options.command, options.args, {
    stdio: ['ignore', log, log],
    // With a group of its own, Ctrl-C in the terminal reaches us alone, and we end the parts in order.
    detached: true,
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
  })
  closeSync(log)
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', (cause) =>
      reject(new Error(`${options.name} cannot be started: ${cause.message}`, { cause })),
    )
  })
  const pid = child.pid
  if (pid === undefined) throw new Error(`${options.name} has no process id`)
  watch(pid)
  logs.set(pid, { name: options.name, logFile: options.logFile })
  let running = true
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('exit', (code, signal) => {
      running = false
      unwatch(pid)
      logs.delete(pid)
      resolve({ code, signal })
    })
  })
  return {
    name: options.name,
    pid,
    exited,
    async stop() {
      if (!running) return
      child.kill(options.stopSignal ?? 'SIGTERM')
      const inTime = await Promise.race([
        exited.then(() => true),
        sleep(options.stopGrace ?? 10_000, false, { ref: false }),
      ])
      if (!inTime) {
        endGroup(pid)
        await exited
      }
    },
  }
}

/**
 * Waits until a part answers.
 *
 * @param check - Resolves when the part is ready, and throws until then.
 * @throws Error with the end of the log when the part ended or was not ready in time.
 */
export async function untilReady(
  running: RunningProcess,
  logFile: string,
  check: () => Promise<unknown>,
  timeoutMs = 60_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs
  let ended: string | undefined
  void running.exited.then(({ code, signal }) => {
    ended = signal ?? `code ${code}`
  })
  for (;;) {
    try {
      await check()
      return
    } catch (cause) {
      if (ended !== undefined)
        throw new Error(`${running.name} ended (${ended}) at its start:\n${tail(logFile)}`, { cause })
      if (Date.now() > deadline) {
        await running.stop()
        throw new Error(`${running.name} was not ready within ${timeoutMs / 1_000} s:\n${tail(logFile)}`, {
          cause,
        })
      }
      await sleep(50)
    }
  }
}

/** Returns the last lines of a log. */
export function tail(logFile: string, lines = 15): string {
  try {
    return readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n')
  } catch {
    return '(no log)'
  }
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // The process ended in the meantime.
  }
}
