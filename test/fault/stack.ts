/**
 * The whole stack as `npm start` runs it, in a home and on ports of its own, and a way to kill each of its
 * processes.
 */

import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { isPortFree } from '../../local/parts/free-port.js'
import { choosePorts, PORT_COUNT, type Ports } from '../../local/stack/ports.js'
import { startOf } from '../../local/stack/process-identity.js'
import { type StackFile, stackFileSchema } from '../../local/stack/stack-file.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** The first port, below the range from which systems choose ports themselves (32,768 and above). */
const FIRST_PORT = 16_000
const START_MS = 240_000
const STOP_MS = 60_000

/** The processes that are killed. The sample merchant is not among them: it is the witness. */
export const VICTIMS = [
  'api',
  'longest running worker',
  'signer',
  'temporal',
  'postgres',
  'ethereum',
  'bitcoin',
] as const
export type Victim = (typeof VICTIMS)[number]

export interface FaultStack {
  readonly home: string
  /** Reads `stack.json` as it is now. */
  facts(): StackFile
  /** Kills a process with SIGKILL as soon as there is one of that kind. @returns Its id. */
  kill(victim: Victim): Promise<number>
  /** Returns what the supervisor printed. */
  output(): string
  /** Ends the stack in order. `keep` leaves its home, so that a person can examine it. */
  stop(keep: boolean): Promise<void>
}

/**
 * Starts the stack and waits until it is ready.
 *
 * @param environment - Returns the environment, once home and ports are chosen.
 * @throws Error with what the stack printed, when it does not become ready.
 */
export async function startFaultStack(
  environment: (chosen: { readonly home: string; readonly ports: Ports }) => Readonly<Record<string, string>>,
): Promise<FaultStack> {
  const home = mkdtempSync(join(tmpdir(), 'keyturn-fault-'))
  const portBase = await freePorts()
  const ports = await choosePorts(() => {}, String(portBase))
  const stackFile = join(home, 'stack.json')
  const child = spawn('npm', ['start', '--', '--no-demo'], {
    cwd: ROOT,
    env: {
      ...process.env,
      ...environment({ home, ports }),
      KEYTURN_HOME: home,
      KEYTURN_PORT_BASE: String(portBase),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let ended = false
  child.once('exit', () => {
    ended = true
  })
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8')
    })

  const read = (): StackFile | null =>
    existsSync(stackFile) ? stackFileSchema.parse(JSON.parse(readFileSync(stackFile, 'utf8'))) : null
  const facts = () => {
    const now = read()
    if (ended || !now) throw new Error(`The stack does not run:\n${output}`)
    return now
  }
  /** Returns the id of the process that runs now. `undefined` while the supervisor starts it again. */
  const pidOf = (victim: Victim): number | undefined => {
    const { pids } = facts()
    const { workers } = pids
    const pid =
      victim === 'longest running worker'
        ? // The supervisor lists a worker that it started again last.
          workers.length > 1 && workers[0]
        : pids[victim]
    return pid && startOf(pid) !== null ? pid : undefined
  }

  const stack: FaultStack = {
    home,
    facts,
    async kill(victim) {
      for (;;) {
        const pid = pidOf(victim)
        if (pid !== undefined) {
          process.kill(pid, 'SIGKILL')
          return pid
        }
        await sleep(20)
      }
    },
    output: () => output,
    async stop(keep) {
      const supervisor = read()?.pids.supervisor
      const runs = () => !ended || (supervisor !== undefined && startOf(supervisor) !== null)
      // npm ends before the supervisor that it started; the supervisor notices.
      child.kill('SIGTERM')
      for (const deadline = Date.now() + STOP_MS; runs() && Date.now() < deadline; ) await sleep(50)
      const left = runs()
      // The watchdog ends the processes that the supervisor leaves.
      if (left && supervisor !== undefined) process.kill(supervisor, 'SIGKILL')
      if (left) throw new Error(`The stack did not end within ${STOP_MS / 1_000} s; look into ${home}`)
      if (!keep) rmSync(home, { recursive: true, force: true, maxRetries: 5 })
    },
  }
  for (const deadline = Date.now() + START_MS; !read()?.ready; await sleep(200)) {
    if (!ended && Date.now() < deadline) continue
    await stack.stop(false)
    throw new Error(`The stack did not start:\n${output}`)
  }
  return stack
}

/**
 * Ends a stack. After a failure it keeps the stack's home, and prints the seed and what the supervisor
 * printed.
 */
export async function endStack(stack: FaultStack | undefined, failed: boolean, seed: number): Promise<void> {
  await stack?.stop(failed)
  if (failed)
    console.log(`Seed ${seed}; everything is in ${stack?.home}; the supervisor printed:\n${stack?.output()}`)
}

async function freePorts(): Promise<number> {
  for (let base = FIRST_PORT + Math.floor(Math.random() * 1_000) * PORT_COUNT; ; base += PORT_COUNT) {
    const free = await Promise.all(
      Array.from({ length: PORT_COUNT }, (_, offset) => isPortFree(base + offset)),
    )
    if (free.every(Boolean)) return base
  }
}
