/** Tests the real executable with a hostile platform that attacks time, memory and the process itself. */

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { buildProgram } from '../../local/build-program.js'
import { btcRequest, ethRequest, MNEMONIC } from './fixture.js'
import { type PlatformDouble, startPlatform, type TakenOver } from './platform-double.js'

const SECOND = 1_000
const MEBIBYTE = 1_048_576
const CLAIM = '/signer/v1/claim'

let directory: string
let program: string
let home: string
let platform: PlatformDouble
let children: ChildProcess[] = []
let drips: NodeJS.Timeout[] = []

const environment = { PATH: process.env.PATH ?? '', KEYTURN_SIGNER_PASSPHRASE: 'correct horse battery' }

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'keyturn-resources-'))
  program = join(directory, 'keyturn-signer')
  home = join(directory, 'home')
  await buildProgram('signer/main.ts', program)
  platform = await startPlatform()
  const own = ['--home', home, '--witness', join(directory, 'witness')]
  const place = ['--platform', platform.url, '--token', platform.token, ...own]
  await new Promise<void>((resolve, reject) => {
    const args = [program, 'init', ...place, '--restore', '--insecure-test-scrypt-n', '1024']
    const child = execFile(process.execPath, args, { env: environment }, (error) =>
      error ? reject(error) : resolve(),
    )
    child.stdin?.end(MNEMONIC)
  })
})

afterEach(async () => {
  for (const child of children) {
    const ended = new Promise((resolve) => child.once('exit', resolve))
    if (child.kill('SIGKILL') && child.exitCode === null) await ended
  }
  for (const drip of drips) clearInterval(drip)
  children = []
  drips = []
  platform.takeOver = null
  platform.answers.splice(0)
  platform.disconnect()
})

afterAll(async () => {
  await platform.close()
  rmSync(directory, { recursive: true })
})

function start() {
  const child = spawn(process.execPath, [program, 'run', '--home', home], { env: environment })
  children.push(child)
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      text += chunk
    })
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  return { child, ended, text: () => text }
}

/** Returns the highest memory of a process so far, in bytes. */
function peakBytes(child: ChildProcess): number {
  const [, kibibytes] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8')) ?? []
  return Number(kibibytes) * 1_024
}

/** Sends a byte each second, and never the last one. */
function drip({ response }: TakenOver): boolean {
  response.writeHead(200, { 'content-length': '1000000' })
  const timer = setInterval(() => response.write('x'), SECOND)
  drips.push(timer)
  response.write('x')
  return true
}

/** Answers a claim with these bytes under the platform's signature. The second answer is honest again. */
function answerOnce(raw: Buffer, headers: Record<string, string> = {}, sent: Buffer = raw): () => boolean {
  let answered = false
  platform.takeOver = ({ path, response, signed }) => {
    if (path !== CLAIM || answered) return false
    answered = true
    response.writeHead(200, { 'content-type': 'application/json', ...signed(raw), ...headers })
    response.end(sent)
    return true
  }
  return () => answered
}

/** Returns the answer to a claim with these requests, as text. */
function claimOf(requests: string): Buffer {
  const known = JSON.stringify(platform.knownJournal)
  return Buffer.from(`{"success":true,"data":{"known_journal":${known},"requests":${requests}}}`)
}

/** Waits for a claim after `answered`, which proves that the process lives. */
async function goesOn(run: ReturnType<typeof start>, answered: () => boolean): Promise<void> {
  const claims = () => platform.claims.length
  await platform.waitFor(() => answered() || run.child.exitCode !== null)
  const before = claims()
  await platform.waitFor(() => claims() > before || run.child.exitCode !== null)
  expect(run.child.exitCode, run.text().slice(0, 2_000)).toBe(null)
}

const lines = (text: string) => text.split('\n').filter((line) => line !== '')

test.each([CLAIM, '/signer/v1/answers'])(
  'ends within 5 seconds after SIGTERM while %s is answered at a byte a second',
  async (slow) => {
    let dripping = false
    platform.takeOver = (call) => {
      if (call.path !== slow) return false
      dripping = true
      return drip(call)
    }
    platform.queue.push(ethRequest())
    const run = start()
    await platform.waitFor(() => dripping)
    const before = Date.now()
    run.child.kill('SIGTERM')
    expect(await run.ended).toBe(0)
    expect(Date.now() - before).toBeLessThan(5 * SECOND)
  },
  60 * SECOND,
)

test.each([
  [
    'amount',
    (text: string) => ({
      ...ethRequest(),
      intent: { ...ethRequest().intent, outputs: [{ address: 'x', amount: text }] },
    }),
    '1',
  ],
  ['calldata', (text: string) => ethRequest({ payload: { data: `0x${text}` } }), '00'],
  ['path', (text: string) => ({ ...ethRequest(), destination_path: `m${text}` }), '/0'],
  [
    'psbt',
    (text: string) => ({ ...btcRequest(), payload: { family: 'utxo', network: 'bitcoin', psbt: text } }),
    'AAAA',
  ],
] as const)(
  'refuses a %s of fifteen million characters once, and continues',
  async (_name, make, unit) => {
    const request = JSON.stringify(make(unit.repeat(15_000_000 / unit.length)))
    const run = start()
    const answered = answerOnce(claimOf(`[${request}]`))
    await goesOn(run, answered)
    const [answer] = await platform.waitFor(() => platform.answers.length > 0 && platform.answers)
    expect(answer).toMatchObject({ outcome: 'refused', code: 'MALFORMED' })
    expect(platform.answers).toHaveLength(1)
    expect(peakBytes(run.child)).toBeLessThan(512 * MEBIBYTE)
  },
  60 * SECOND,
)

test(
  'logs a request without an id once, however often it comes',
  async () => {
    const run = start()
    let times = 0
    platform.takeOver = ({ path, response, signed }) => {
      if (path !== CLAIM || times === 5) return false
      times++
      const raw = claimOf(`[{"id":${JSON.stringify('x'.repeat(100_000))}},7,null,{}]`)
      response.writeHead(200, signed(raw))
      response.end(raw)
      return true
    }
    await goesOn(run, () => times === 5)
    const said = lines(run.text()).filter((line) => line.includes('without an id'))
    expect(said).toHaveLength(1)
    expect(platform.answers).toEqual([])
  },
  60 * SECOND,
)

const MANY = 15 * MEBIBYTE
const filled = (unit: string) => `[${unit.repeat(Math.floor(MANY / unit.length))}0]`

test.each([
  ['empty objects', () => claimOf(filled('{},'))],
  ['empty lists', () => claimOf(filled('[],'))],
  ['numbers', () => claimOf(filled('0,'))],
  [
    'other keys',
    () => Buffer.from(`{${Array.from({ length: 1_000_000 }, (_, at) => `"k${at}":{}`).join(',')}}`),
  ],
  ['a deep nest', () => claimOf(`${'['.repeat(MANY / 2)}${']'.repeat(MANY / 2)}`)],
  [
    'outputs',
    () =>
      claimOf(
        `[${JSON.stringify(ethRequest()).replace(/"outputs":\[/, `"outputs":[${'{},'.repeat(MANY / 3)}`)}]`,
      ),
  ],
  [
    'unknown fields',
    () =>
      claimOf(
        `[{"id":"srq_1","intent":{${Array.from({ length: 900_000 }, (_, at) => `"k${at}":0`).join(',')}}}]`,
      ),
  ],
  ['more bytes than there may be', () => claimOf(`["${'x'.repeat(200 * MEBIBYTE)}"]`)],
] as const)(
  'reads an answer full of %s in less than 512 MiB, logs little, and continues',
  async (_name, make) => {
    const raw = make()
    const run = start()
    await goesOn(run, answerOnce(raw))
    expect(peakBytes(run.child)).toBeLessThan(512 * MEBIBYTE)
    for (const line of lines(run.text())) expect(Buffer.byteLength(line)).toBeLessThanOrEqual(1_024)
    for (const answer of platform.answers)
      expect(Buffer.byteLength(JSON.stringify(answer))).toBeLessThanOrEqual(2_048)
  },
  120 * SECOND,
)

test(
  'reads long replies to many answers at once in little memory',
  async () => {
    const AT_ONCE = 32
    const raw = Buffer.from(`{"success":true,"data":{"x":"${'x'.repeat(MANY)}"}}`)
    const begun: TakenOver['response'][] = []
    platform.takeOver = ({ path, response, signed }) => {
      if (path === CLAIM || begun.length === AT_ONCE) return false
      begun.push(response)
      response.writeHead(200, signed(raw))
      response.write(raw.subarray(0, -1))
      // Each reply is held until all of them are in memory, or were given up.
      setTimeout(() => response.end(raw.subarray(-1)), 4 * SECOND)
      return true
    }
    for (let index = 0; index < AT_ONCE; index++)
      platform.queue.push({ id: `srq_${index}` } as (typeof platform.queue)[number])
    const run = start()
    await platform.waitFor(() => begun.length === AT_ONCE)
    await new Promise((resolve) => setTimeout(resolve, 6 * SECOND))
    await platform.waitFor(() => begun.every((each) => each.writableEnded))
    expect(peakBytes(run.child)).toBeLessThan(256 * MEBIBYTE)
    expect(run.child.exitCode).toBe(null)
  },
  60 * SECOND,
)

test(
  'reads an answer in chunks of one byte with no more memory than its bytes',
  async () => {
    const run = start()
    let sent = false
    platform.takeOver = ({ path, response, signed }) => {
      if (path !== CLAIM || sent) return false
      sent = true
      const raw = claimOf(`["${'x'.repeat(2 * MEBIBYTE)}"]`)
      const head = Object.entries(signed(raw)).map(([name, value]) => `${name}: ${value}\r\n`)
      const chunks = Buffer.concat(Array.from(raw, (byte) => Buffer.from([0x31, 13, 10, byte, 13, 10])))
      response.socket?.write(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n${head.join('')}\r\n`)
      response.socket?.write(chunks)
      response.socket?.write('0\r\n\r\n')
      return true
    }
    await goesOn(run, () => sent)
    expect(peakBytes(run.child)).toBeLessThan(512 * MEBIBYTE)
  },
  120 * SECOND,
)

test(
  'refuses a compressed answer without reading it',
  async () => {
    const run = start()
    const raw = claimOf(`["${'x'.repeat(60 * MEBIBYTE)}"]`)
    await goesOn(run, answerOnce(raw, { 'content-encoding': 'gzip' }, gzipSync(raw)))
    expect(peakBytes(run.child)).toBeLessThan(256 * MEBIBYTE)
    expect(run.text()).toContain('compressed')
  },
  120 * SECOND,
)
