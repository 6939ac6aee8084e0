/** Runs the consumers of docs/guides/webhooks.md, as they stand there, against the conformance test. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startTestApi, type TestApi } from '../stage/test-api.js'
import { readProjectFile } from '../tidy/project-files.js'

const ENDPOINTS = '/api/v1/webhook-endpoints'
const root = fileURLToPath(new URL('../../', import.meta.url))
const page = readProjectFile('docs/guides/webhooks.md')
/** The library of Standard Webhooks on PyPI. It has no dependencies. */
const LIBRARY = 'standardwebhooks==1.1.0'

let api: TestApi
let directory: string
let running: ChildProcess | null = null
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'keyturn-examples-'))
  api = await startTestApi({
    KEYTURN_WEBHOOK_ALLOW_CIDRS: '127.0.0.0/8',
    KEYTURN_WEBHOOK_ALLOW_HTTP: 'true',
  })
})
afterEach(() => {
  running?.kill('SIGKILL')
  running = null
})
afterAll(async () => {
  rmSync(directory, { recursive: true, force: true })
  await api?.database.drop()
})

/** Returns the one example in a language. */
function exampleIn(language: string): string {
  const [example, ...others] = [...page.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].filter(
    ([, name]) => name === language,
  )
  expect(others).toEqual([])
  return example?.[2] ?? ''
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** Starts a consumer with the secret of a new endpoint, waits until it listens, and returns the report of the test. */
async function conformanceOf(command: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}/`
  const { id, secret } = (await api.call({ method: 'POST', path: ENDPOINTS, body: { url } })).json.data
  const output: string[] = []
  running = spawn(command, args, {
    cwd: root,
    env: { ...process.env, ...environment, PORT: String(port), WEBHOOK_SECRET: secret },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  for (const stream of [running.stdout, running.stderr])
    stream?.on('data', (text) => output.push(String(text)))
  await expect
    .poll(
      () =>
        fetch(url, { method: 'POST', body: '{}' }).then(
          ({ status }) => status,
          () => output.join(''),
        ),
      {
        timeout: 30_000,
      },
    )
    .toBe(401)
  return (await api.call({ method: 'POST', path: `${ENDPOINTS}/${id}/conformance`, body: {} })).json.data
}

const python = ((): string | null => {
  try {
    execFileSync('python3', ['-c', 'import sys; assert sys.version_info >= (3, 9)'], { stdio: 'ignore' })
    return 'python3'
  } catch {
    return null
  }
})()

test('the consumer in Node passes', async () => {
  const client = pathToFileURL(join(root, 'client/verify-webhook.ts')).href
  const source = exampleIn('js').replace('@keyturn/client/verify-webhook', client)
  const path = join(directory, 'consumer.mjs')
  writeFileSync(path, source)
  const report = await conformanceOf(process.execPath, ['--import', 'tsx', path])
  expect(report.cases).toEqual(report.cases.map((each: object) => ({ ...each, passed: true })))
})

// Without Python 3.9 there is nothing to run the example with.
describe.runIf(python !== null)('in Python', () => {
  test('the consumer without a library passes', async () => {
    const path = join(directory, 'consumer.py')
    writeFileSync(path, exampleIn('python'))
    const report = await conformanceOf(python ?? '', [path])
    expect(report.cases).toEqual(report.cases.map((each: object) => ({ ...each, passed: true })))
  })

  test('the same consumer passes with the published library, where pip can get it', async () => {
    const library = join(directory, 'library')
    try {
      // biome-ignore format: one option a word
      execFileSync(python ?? '', ['-m', 'pip', 'install', '--quiet', '--no-deps', '--disable-pip-version-check', '--target', library, LIBRARY],
        { stdio: 'ignore', timeout: 60_000 })
    } catch {
      process.stdout.write(
        'PyPI cannot be reached, so the Python library of Standard Webhooks is not tested\n',
      )
      return
    }
    const own = exampleIn('python')
    const begin = own.indexOf('def verify')
    const end = own.indexOf('class Webhooks')
    expect(begin).toBeGreaterThan(0)
    const path = join(directory, 'consumer-with-library.py')
    const verify = [
      'from standardwebhooks.webhooks import Webhook, WebhookVerificationError',
      '',
      'def verify(headers, raw_body):',
      '    try:',
      '        named = {name.lower(): value for name, value in headers.items()}',
      '        return Webhook(os.environ["WEBHOOK_SECRET"]).verify(raw_body, named)',
      '    except WebhookVerificationError as error:',
      '        raise ValueError(str(error))',
      '',
      '',
    ].join('\n')
    writeFileSync(path, own.slice(0, begin) + verify + own.slice(end))
    const report = await conformanceOf(python ?? '', [path], { PYTHONPATH: library })
    expect(report.cases).toEqual(report.cases.map((each: object) => ({ ...each, passed: true })))
  })
})
