/** Starts and runs the programs of this repository as processes. */

import { fileURLToPath } from 'node:url'
import { type RunningProcess, startProcess, tail, untilReady } from '../parts/start-process.js'
import type { Home } from './home.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Starts a program of ours as a process, and waits until `ready` no longer throws. */
export async function startNode(
  home: Home,
  program: {
    readonly name: string
    /** Path of the program, bundled. */
    readonly file: string
    readonly args?: readonly string[]
    readonly environment: Readonly<Record<string, string | undefined>>
    readonly ready: (running: RunningProcess) => Promise<unknown>
  },
): Promise<RunningProcess> {
  const logFile = home.log(program.name)
  const running = await startProcess({
    name: program.name,
    command: process.execPath,
    args: ['--enable-source-maps', program.file, ...(program.args ?? [])],
    cwd: ROOT,
    env: program.environment,
    logFile,
  })
  await untilReady(running, logFile, () => program.ready(running), 90_000)
  return running
}

/** Runs a program of ours to its end. @throws Error with the end of its log when it fails. */
export async function runNode(
  home: Home,
  name: string,
  file: string,
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const logFile = home.log(name)
  const running = await startProcess({
    name: `${name} ${args[0] ?? ''}`,
    command: process.execPath,
    args: [file, ...args],
    cwd: ROOT,
    env: environment,
    logFile,
  })
  const { code } = await running.exited
  if (code !== 0) throw new Error(`${running.name} failed:\n${tail(logFile)}`)
}

/** Throws until the URL answers with success. */
export async function answers(url: string): Promise<void> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2_000) })
  await response.body?.cancel()
  if (!response.ok) throw new Error(`${url}: HTTP ${response.status}`)
}
