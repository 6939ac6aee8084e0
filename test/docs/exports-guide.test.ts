/** Runs the examples of docs/guides/exports.md in TypeScript. */

import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Client, createClient } from '../../client/index.js'
import { readProjectFile } from '../tidy/project-files.js'
import { downloadLedger, streamLedger } from './exports-guide.js'

const ROWS = '{"sequence":1}\n{"sequence":2}\n'
const before = process.cwd()
let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'keyturn-guide-'))
  process.chdir(directory)
})
afterEach(() => {
  process.chdir(before)
  vi.unstubAllGlobals()
  rmSync(directory, { recursive: true, force: true })
})

function clientOf(answer: (path: string) => Response): Client {
  const fetch = async (url: string) => answer(new URL(url).pathname)
  return createClient({ baseUrl: 'http://api.test', apiKey: 'k', apiSecret: 's', fetch })
}

test('the page has the examples that are run here', () => {
  const source = readProjectFile('test/docs/exports-guide.ts')
  const examples = [...readProjectFile('docs/guides/exports.md').matchAll(/^```ts\n([\s\S]*?)^```$/gm)]
  expect(examples).toHaveLength(2)
  for (const [, example = ''] of examples) {
    const code = example.replaceAll(/^import .*\n/gm, '').trim()
    expect(source).toContain(code.replaceAll(/^(?=.)/gm, '  '))
  }
})

test('streams into a file, and fails when the stream is cut', async () => {
  await streamLedger(clientOf(() => new Response(ROWS)))
  expect(readFileSync('ledger.ndjson', 'utf8')).toBe(ROWS)
  const cut = new ReadableStream({
    start(controller) {
      controller.enqueue(Buffer.from(ROWS))
    },
    pull(controller) {
      controller.error(new Error('cut'))
    },
  })
  await expect(streamLedger(clientOf(() => new Response(cut)))).rejects.toThrow('cut')
})

test('downloads a file, and fails when it is not what the manifest says', async () => {
  const sha256 = createHash('sha256').update(ROWS).digest('hex')
  const job = { id: 'exp_1', status: 'done', url: 'http://files.test/exp_1', manifest: { sha256 } }
  const client = clientOf(() => Response.json({ success: true, data: job }))
  vi.stubGlobal('fetch', async () => new Response(ROWS))
  await downloadLedger(client)
  vi.stubGlobal('fetch', async () => new Response(ROWS.slice(0, -1)))
  await expect(downloadLedger(client)).rejects.toThrow('not complete')
})
