/** Runs an example as `npm run example` does, behind an unreliable courier. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../local/parts/free-port.js'
import { type Courier, startCourier } from './unreliable-courier.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export interface RunningExample {
  readonly name: string
  readonly courier: Courier
  // biome-ignore lint/suspicious/noExplicitAny: a test reads any answer
  get(path: string): Promise<any>
  // biome-ignore lint/suspicious/noExplicitAny: a test reads any answer
  post(path: string, body?: unknown): Promise<any>
  /** Kills the process at once. */
  kill(): Promise<void>
  start(): Promise<void>
  /** Returns the lines of its journal, and replaces them when `change` returns others. */
  journal(change?: (lines: string[]) => string[]): string[]
  close(): Promise<void>
}

/** Starts an example on the stack of a home. */
export async function runExample(home: string, name: string): Promise<RunningExample> {
  const port = await freePort()
  const base = `http://127.0.0.1:${port}`
  const courier = await startCourier(base)
  const file = join(home, 'examples', name, 'journal.ndjson')
  let child: ChildProcess | undefined
  let output = ''

  async function call(path: string, init: RequestInit = {}) {
    const answer = await fetch(base + path, init)
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${name} ${path}: ${answer.status} ${text}`)
    return text === '' ? null : JSON.parse(text)
  }
  const example: RunningExample = {
    name,
    courier,
    get: (path) => call(path),
    post: (path, body) =>
      call(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body ?? {}),
      }),
    async kill() {
      if (!child || child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
    async start() {
      output = ''
      child = spawn(process.execPath, ['--import', 'tsx', 'docs/examples/run.ts', name], {
        cwd: ROOT,
        env: { ...process.env, KEYTURN_HOME: home, EXAMPLE_PORT: String(port), EXAMPLE_URL: courier.url },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      for (const stream of [child.stdout, child.stderr])
        stream?.on('data', (chunk: Buffer) => {
          output += chunk.toString('utf8')
        })
      for (let attempt = 0; ; attempt += 1) {
        if (
          await fetch(`${base}/healthz`).then(
            (answer) => answer.ok,
            () => false,
          )
        )
          return
        if (child.exitCode !== null || attempt > 600) throw new Error(`${name} did not start:\n${output}`)
        await sleep(100)
      }
    },
    journal(change) {
      const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean)
      if (!change) return lines
      const changed = change(lines)
      writeFileSync(file, changed.map((line) => `${line}\n`).join(''))
      return changed
    },
    async close() {
      await example.kill()
      await courier.close()
    },
  }
  await example.start()
  return example
}
