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

/** Returns whether a command can be run. */
function runs(command: string, args: readonly string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

const python = runs('python3', ['-c', 'import sys; assert sys.version_info >= (3, 9)']) ? 'python3' : null
const hasGo = runs('go', ['version'])
const hasPhp = runs('php', ['-r', 'exit(PHP_VERSION_ID >= 80000 ? 0 : 1);'])

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

/** A server around the function of the page, which is all that the page has in Go. */
const GO_SERVER = `
func main() {
	http.HandleFunc("/", func(answer http.ResponseWriter, request *http.Request) {
		rawBody, err := io.ReadAll(request.Body)
		if err != nil || verify(request.Header, rawBody, os.Getenv("WEBHOOK_SECRET"), time.Now()) != nil {
			answer.WriteHeader(http.StatusUnauthorized)
			return
		}
		answer.WriteHeader(http.StatusNoContent)
	})
	panic(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}
`
const GO_PACKAGES = [
  'crypto/hmac',
  'crypto/sha256',
  'encoding/base64',
  'errors',
  'fmt',
  'io',
  'net/http',
  'os',
  'strconv',
  'strings',
  'time',
]
/** The same in PHP. */
const PHP_SERVER = `
try {
    verify($headers, $rawBody, getenv('WEBHOOK_SECRET'));
    http_response_code(204);
} catch (Throwable) {
    http_response_code(401);
}
`

test(hasGo ? 'the consumer in Go passes' : 'Go is not installed, so its consumer was not run', async () => {
  const example = exampleIn('go')
  expect(example).toContain('hmac.Equal')
  if (!hasGo) return
  const source = join(directory, 'consumer.go')
  const packages = GO_PACKAGES.map((name) => `import "${name}"\n`).join('')
  writeFileSync(source, `package main\n\n${packages}\n${example}${GO_SERVER}`)
  const consumer = join(directory, 'consumer-in-go')
  execFileSync('go', ['build', '-o', consumer, source], { cwd: directory, stdio: 'pipe' })
  const report = await conformanceOf(consumer, [])
  expect(report.cases).toEqual(report.cases.map((each: object) => ({ ...each, passed: true })))
}, 180_000)

test(
  hasPhp ? 'the consumer in PHP passes' : 'PHP 8 is not installed, so its consumer was not run',
  async () => {
    const example = exampleIn('php')
    expect(example).toContain('hash_equals')
    if (!hasPhp) return
    const source = join(directory, 'consumer.php')
    // The last lines of the example say where body and headers come from.
    const uncommented = example.replaceAll(/^\/\/ (?=\$)/gm, '')
    expect(uncommented).not.toBe(example)
    writeFileSync(source, `<?php\n${uncommented}${PHP_SERVER}`)
    const router = join(directory, 'php-server.sh')
    writeFileSync(router, `exec php -d display_errors=stderr -S "127.0.0.1:$PORT" ${source}\n`)
    const report = await conformanceOf('sh', [router])
    expect(report.cases).toEqual(report.cases.map((each: object) => ({ ...each, passed: true })))
  },
)
