/** Measures ponder's backfill of the same blocks, where a package registry answers. It is no dependency. */

import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { freePort } from '../local/parts/free-port.js'
import { unwatch, watch } from '../local/parts/watchdog.js'
import type { BenchContext } from './context.js'

export interface PonderOptions {
  readonly rpc: string
  readonly chainId: number
  readonly token: string
  /** Blocks, both included. Ponder takes the last 30 of a chain for unsettled and reads them otherwise. */
  readonly from: number
  readonly to: number
  /** Own addresses, as 0x and lower-case hex. Only transfers to them are stored. */
  readonly own: readonly string[]
}

export type PonderRun =
  | { readonly kind: 'measured'; readonly seconds: number; readonly stored: number }
  | { readonly kind: 'unavailable'; readonly reason: string }

const PACKAGES = ['ponder@0.16.6', 'viem@2.57.1', 'hono@4']
const INSTALL_MS = 180_000
const RUN_MS = 240_000

/** Installs ponder into a temporary directory and lets it index once. */
export async function runPonder(context: BenchContext, options: PonderOptions): Promise<PonderRun> {
  const home = await mkdtemp(join(tmpdir(), 'keyturn-ponder-'))
  context.onEnd(() => rm(home, { recursive: true, force: true }))
  try {
    await writeProject(home, options)
    await runToEnd(
      'npm',
      ['install', '--no-audit', '--no-fund', '--ignore-scripts', ...PACKAGES],
      home,
      INSTALL_MS,
    )
    await liftThrottle(home)
    return await index(context, home, options)
  } catch (error) {
    return { kind: 'unavailable', reason: error instanceof Error ? error.message : String(error) }
  }
}

async function writeProject(home: string, { token, chainId, from, to, own }: PonderOptions): Promise<void> {
  const files: Record<string, string> = {
    'package.json': JSON.stringify({ name: 'bench', private: true, type: 'module' }),
    'own.json': JSON.stringify(own),
    'ponder.config.ts': `
      import { createConfig } from 'ponder'
      export default createConfig({
        database: { kind: 'postgres', connectionString: process.env.BENCH_DATABASE },
        chains: { bench: { id: ${chainId}, rpc: process.env.BENCH_RPC } },
        contracts: {
          Token: {
            chain: 'bench', address: '${token}', startBlock: ${from}, endBlock: ${to},
            abi: [{ type: 'event', name: 'Transfer', inputs: [
              { name: 'from', type: 'address', indexed: true }, { name: 'to', type: 'address', indexed: true },
              { name: 'value', type: 'uint256', indexed: false }] }],
          },
        },
      })`,
    'ponder.schema.ts': `
      import { onchainTable } from 'ponder'
      export const deposit = onchainTable('deposit', (t) => ({
        id: t.text().primaryKey(), payee: t.hex().notNull(), amount: t.bigint().notNull(),
      }))`,
    'src/index.ts': `
      import { readFileSync } from 'node:fs'
      import { ponder } from 'ponder:registry'
      import { deposit } from 'ponder:schema'
      const own = new Set(JSON.parse(readFileSync('own.json', 'utf8')))
      ponder.on('Token:Transfer', async ({ event, context }) => {
        if (!own.has(event.args.to.toLowerCase())) return
        await context.db.insert(deposit).values({ id: event.id, payee: event.args.to, amount: event.args.value })
      })`,
    'src/api/index.ts': `
      import { Hono } from 'hono'
      export default new Hono()`,
  }
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(home, name)), { recursive: true })
    await writeFile(join(home, name), text)
  }
}

/** Lifts the limit of requests, which begins at 20 a second and would be all that is measured. */
async function liftThrottle(home: string): Promise<void> {
  const file = join(home, 'node_modules/ponder/dist/esm/rpc/index.js')
  const text = await readFile(file, 'utf8')
  const lifted = text.replace(/const (INITIAL_MAX_RPS|MAX_RPS) = \d+/g, 'const $1 = 1000000')
  if (lifted === text) throw new Error('ponder limits its requests in another way now')
  await writeFile(file, lifted)
}

async function index(context: BenchContext, home: string, options: PonderOptions): Promise<PonderRun> {
  const { sql, url } = await context.database({ max: 1 })
  const child = spawn(
    process.execPath,
    [
      'node_modules/ponder/dist/esm/bin/ponder.js',
      ...['start', '--schema', 'bench', '--port', String(await freePort()), '--log-format', 'json'],
    ],
    {
      cwd: home,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        HOME: home,
        BENCH_DATABASE: url,
        BENCH_RPC: options.rpc,
        PONDER_TELEMETRY_DISABLED: 'true',
      },
    },
  )
  const { pid } = child
  if (pid === undefined) throw new Error('ponder cannot be started')
  watch(pid)
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  try {
    const seconds = await new Promise<number>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`ponder has not ended in ${RUN_MS} ms`)), RUN_MS)
      let started: number | undefined
      let last = ''
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream }).on('line', (line) => {
          if (/"(msg|error)"/.test(line) && /"level":"?(error|50|fatal)/i.test(line)) last = line
          // Before this, it has started and has read the head of the chain.
          if (line.includes('Started backfill indexing')) started ??= performance.now()
          if (!line.includes('Completed backfill indexing across all chains')) return
          clearTimeout(late)
          if (started === undefined) reject(new Error('ponder did not say when it began'))
          else resolve((performance.now() - started) / 1_000)
        })
      }
      void ended.then(() => {
        clearTimeout(late)
        reject(new Error(`ponder ended before it had read the blocks: ${last.slice(0, 300)}`))
      })
    })
    const [row] = await sql<{ stored: number }[]>`SELECT count(*)::integer AS stored FROM bench.deposit`
    return { kind: 'measured', seconds, stored: row?.stored ?? 0 }
  } finally {
    child.kill('SIGKILL')
    await ended
    unwatch(pid)
  }
}

async function runToEnd(command: string, args: readonly string[], cwd: string, limit: number): Promise<void> {
  const child = spawn(command, args, { cwd, stdio: ['ignore', 'ignore', 'pipe'], timeout: limit })
  let output = ''
  child.stderr.on('data', (chunk: Buffer) => {
    output = `${output}${chunk.toString('utf8')}`.slice(-400)
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  if (code !== 0) throw new Error(`${command} ${args[0]} ended with ${code}: ${output.trim()}`)
}
