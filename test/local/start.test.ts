/** `npm start` and `npm run pay` as processes, on a stack of their own. */

import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { createClient } from '../../client/create-client.js'
import { isPortFree } from '../../local/parts/free-port.js'
import { PORT_COUNT } from '../../local/stack/ports.js'
import { startOf } from '../../local/stack/process-identity.js'
import { type StackFile, stackFileSchema } from '../../local/stack/stack-file.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const home = mkdtempSync(join(tmpdir(), 'keyturn-start-'))
const stackFile = join(home, 'stack.json')
afterAll(() => rmSync(home, { recursive: true, force: true }))

/** Runs `npm start` in a home and on ports of its own. */
async function start(...args: string[]) {
  const base = await freePorts()
  const child = spawn('npm', ['start', '--', ...args], {
    cwd: ROOT,
    env: { ...process.env, KEYTURN_HOME: home, KEYTURN_PORT_BASE: String(base) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8')
    })
  return { child, exited, base, output: () => output }
}

async function freePorts(): Promise<number> {
  for (let base = 24_000 + Math.floor(Math.random() * 1_000) * PORT_COUNT; ; base += PORT_COUNT) {
    const free = await Promise.all(
      Array.from({ length: PORT_COUNT }, (_, offset) => isPortFree(base + offset)),
    )
    if (free.every(Boolean)) return base
  }
}

function readStack(): StackFile | null {
  return existsSync(stackFile) ? stackFileSchema.parse(JSON.parse(readFileSync(stackFile, 'utf8'))) : null
}

function pidsOf(stack: StackFile): number[] {
  return Object.values(stack.pids).flatMap((pid) => pid ?? [])
}

async function until<T>(what: string, look: () => T | null | false): Promise<T> {
  for (let attempt = 0; attempt < 1_200; attempt += 1) {
    const found = look()
    if (found !== null && found !== false) return found
    await sleep(100)
  }
  throw new Error(`never: ${what}`)
}

/** Runs `npm run pay` on the stack of this home. @returns The output. */
function pay(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('npm', ['run', '--silent', 'pay', '--', ...args], {
    cwd: ROOT,
    env: { ...process.env, KEYTURN_HOME: home },
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(stderr)
  return stdout.trim()
}

/** Checks that a deposit of the held sender is held, and that a release credits it. */
async function expectHeld(stack: StackFile): Promise<void> {
  const client = createClient({
    baseUrl: stack.api,
    apiKey: stack.merchant.api_key,
    apiSecret: stack.merchant.api_secret,
  })
  const { address } = await client.addresses.create({ user_reference: 'held', network: 'ethereum' })
  const transaction_hash = pay('eth', address, '0.1', '--held')
  const status = async () => (await client.deposits.list({ transaction_hash })).items[0]
  let deposit = await status()
  for (let attempt = 0; attempt < 600 && deposit?.status !== 'held'; attempt += 1) {
    await sleep(100)
    deposit = await status()
  }
  expect(deposit?.status).toBe('held')
  const released = await client.deposits.release(deposit?.id ?? '', { reason: 'known' })
  expect(released.status).toBe('success')
}

test('walks the main job with --once, writes stack.json and leaves nothing running', async () => {
  const { exited, output } = await start('--once')
  expect(await exited, output()).toBe(0)
  const stack = readStack()
  // Not every machine can get a Litecoin node. The stack then names what it left out.
  const coins = ['ETH', 'USDT', 'BTC', 'USDC', ...(stack?.networks.litecoin ? ['LTC'] : [])]
  for (const coin of coins) expect(output()).toMatch(new RegExp(`ok +${coin} +signed by the customer`))
  expect(output()).toMatch(/ok +shop +.* webhooks verified; the checkout page says that it is paid/)
  expect(output()).toMatch(/pay button +http:\/\/127\.0\.0\.1:\d+\/\n/)
  expect(output()).toMatch(/Checkout page of the walk’s payment +http:\S+\/checkout\/[\w-]+\n/)
  expect(output()).toContain('Left out: bitcoin-cash')
  if (!stack?.networks.litecoin) expect(output()).toContain('Left out: Litecoin')
  // The file keeps the facts of the run, and says that nothing runs any more.
  expect(stack?.ready).toBe(false)
  expect(stack?.pids.workers).toHaveLength(2)
  for (const pid of stack ? pidsOf(stack) : []) expect(startOf(pid)).toBeNull()
}, 400_000)

test('keeps merchants and chains over a second start, restarts a killed process, and ends on SIGTERM', async () => {
  const before = readStack() as StackFile
  const { child, exited, output } = await start('--no-demo')
  let ended = false
  void exited.then(() => {
    ended = true
  })
  const stack = await until('ready', () => {
    if (ended) throw new Error(output())
    const now = readStack()
    return now?.ready ? now : null
  })
  expect(stack.merchant).toEqual(before.merchant)
  expect(stack.networks.ethereum.tokens).toEqual(before.networks.ethereum.tokens)
  await expectHeld(stack)
  expect(() => pay('doge', 'D1', '1')).toThrow('The running stack has no coin doge; it has eth, usdt')
  expect(() => pay('eth', 'D1', '1,5')).toThrow('"1,5" is not a decimal amount')
  const killed = stack.pids.api as number
  process.kill(killed, 'SIGKILL')
  const again = await until('the API runs again', () => {
    const now = readStack()?.pids.api
    return now !== undefined && now !== killed && now
  })
  expect(output()).toContain('api ended (SIGKILL)')
  expect((await fetch(`${stack.api}/healthz`)).status).toBe(200)
  child.kill('SIGTERM')
  await exited
  for (const pid of [...pidsOf(stack).filter((each) => each !== stack.pids.supervisor), again])
    await until(`the end of ${pid}`, () => startOf(pid) === null)
}, 400_000)

test('lets no other user read the files of its home', () => {
  for (const name of readdirSync(home)) {
    const { mode } = statSync(join(home, name))
    if (/\.json$/.test(name)) expect(mode & 0o077, name).toBe(0)
  }
  expect(statSync(home).mode & 0o077).toBe(0)
})
