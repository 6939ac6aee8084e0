/**
 * Tests the witness alone: a file that survives a power cut, and a URL that answers late, wrongly or with an
 * older head.
 */

import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { JournalPosition } from '../../signer/journal/journal.js'
import { JournalFailure } from '../../signer/journal/journal-failure.js'
import { WitnessMismatch } from '../../signer/journal/witness.js'
import { openFileWitness } from '../../signer/journal/witness-file.js'
import { openUrlWitness } from '../../signer/journal/witness-url.js'
import { buildSigner, payoutOfNow, startExecutable } from './executable.js'

const at = (sequence: number): JournalPosition => ({
  head: sequence.toString(16).padStart(64, '0'),
  sequence,
})

let directory: string
let server: Server | null
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'keyturn-witness-'))
  server = null
})
afterEach(() => {
  rmSync(directory, { recursive: true })
  server?.closeAllConnections()
  server?.close()
})

test('keeps the last position in a file for its owner only, whichever record a power cut spoiled', async () => {
  const place = join(directory, 'deep', 'witness')
  const witness = openFileWitness(place)
  expect(await witness.read()).toBeNull()
  for (const sequence of [1, 5, 6]) {
    await witness.write(at(sequence))
    expect(await openFileWitness(place).read()).toEqual(at(sequence))
  }
  expect(statSync(place).mode & 0o077).toBe(0)
  const whole = readFileSync(place)
  const [older, newer] = [Buffer.from(whole), Buffer.from(whole)]
  // Record 6 was written over record 1, beside record 5.
  const [first, second] = [whole.subarray(0, 4_096), whole.subarray(4_096)].map((record) =>
    record.includes('"sequence":6'),
  )
  expect([first, second].filter(Boolean)).toHaveLength(1)
  older.fill(0, first ? 0 : 4_096, first ? 2_000 : 6_000)
  newer.fill(0, first ? 4_096 : 0, first ? 8_192 : 4_096)
  writeFileSync(place, older)
  expect(await openFileWitness(place).read()).toEqual(at(5))
  writeFileSync(place, newer)
  expect(await openFileWitness(place).read()).toEqual(at(6))
  writeFileSync(place, Buffer.alloc(8_192))
  await expect(openFileWitness(place).read()).rejects.toThrow(WitnessMismatch)
})

test('keeps the time of the entry, and adds it to a record of an older signer that has none', async () => {
  const place = join(directory, 'witness')
  const kept = { position: null as JournalPosition | null }
  const url = await serve(honest(kept))
  for (const open of [() => openFileWitness(place), () => openUrlWitness(url, undefined)]) {
    await open().write(at(1))
    expect(await open().read()).toEqual(at(1))
    const timed = { ...at(1), at: '2026-06-01T12:00:00.000Z' }
    const witness = open()
    await witness.read()
    await witness.write(timed)
    expect(await open().read()).toEqual(timed)
  }
  writeFileSync(place, readFileSync(place, 'utf8').replaceAll('12:00:00', '11:00:00'))
  await expect(openFileWitness(place).read()).rejects.toThrow(WitnessMismatch)
})

test('takes a position from a URL that keeps no time of the entry, or something else by that name', async () => {
  const url = await serve((request, body, response) => {
    const { head, sequence } = request.method === 'PUT' ? JSON.parse(body) : at(2)
    response.end(JSON.stringify({ head, sequence, at: 1_780_000_000 }))
  })
  const witness = openUrlWitness(url, undefined)
  expect(await witness.read()).toEqual(at(2))
  await witness.write({ ...at(3), at: '2026-06-01T12:00:00.000Z' })
})

test('fails when the file was removed or replaced under the process, and does not make it again', async () => {
  const place = join(directory, 'witness')
  const witness = openFileWitness(place)
  await witness.write(at(1))
  const bytes = readFileSync(place)
  rmSync(place)
  await expect(witness.write(at(2))).rejects.toThrow(JournalFailure)
  writeFileSync(place, bytes)
  await expect(witness.write(at(2))).rejects.toThrow('something else has written it')
})

test('fails for the process whose record another one overwrote at the same moment', async () => {
  const place = join(directory, 'witness')
  const [one, other] = [openFileWitness(place), openFileWitness(join(directory, 'other'))]
  await one.write(at(1))
  await other.write(at(1))
  await other.write({ head: 'ab'.repeat(32), sequence: 2 })
  const theirs = readFileSync(join(directory, 'other'))
  const mine = one.write(at(2))
  // The process has written, and still waits for the disk.
  writeFileSync(place, theirs)
  await expect(mine).rejects.toThrow('a copy of this home may be in use')
})

type Handler = (request: IncomingMessage, body: string, response: ServerResponse) => void

async function serve(handle: Handler): Promise<string> {
  server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    handle(request, body, response)
  })
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/journal`
}

/**
 * Answers like a witness of the protocol: it stores a position that follows on its own, and refuses any
 * other.
 */
function honest(kept: { position: JournalPosition | null; token?: string | undefined }): Handler {
  return (request, body, response) => {
    kept.token = request.headers.authorization
    if (request.method === 'PUT') {
      const { previous, ...position } = JSON.parse(body) as JournalPosition & {
        previous: JournalPosition | null
      }
      const isHeld = (each: JournalPosition | null) => each?.head === kept.position?.head
      if (!isHeld(previous) && !isHeld(position)) {
        return void response.writeHead(409).end(JSON.stringify(kept.position))
      }
      kept.position = position
    }
    if (!kept.position) return void response.writeHead(404).end()
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(kept.position))
  }
}

test('keeps the position at a URL, with the token as a bearer', async () => {
  const kept = { position: null as JournalPosition | null, token: undefined }
  const place = await serve(honest(kept))
  const witness = openUrlWitness(place, 'tok')
  expect(await witness.read()).toBeNull()
  await witness.write(at(3))
  expect(await openUrlWitness(place, 'tok').read()).toEqual(at(3))
  expect(kept.token).toBe('Bearer tok')
  // A copy of the home that read at the same time fails, however far it has come.
  const [one, other] = [openUrlWitness(place, 'tok'), openUrlWitness(place, 'tok')]
  await Promise.all([one.read(), other.read()])
  await one.write(at(4))
  await expect(other.write(at(9))).rejects.toThrow(WitnessMismatch)
  await one.write(at(5))
  expect(kept.position).toEqual(at(5))
})

test.each<[string, Handler, typeof JournalFailure | typeof WitnessMismatch]>([
  ['an older position', (_request, _body, response) => response.end(JSON.stringify(at(1))), WitnessMismatch],
  ['a refusal', (_request, _body, response) => response.writeHead(409).end(), WitnessMismatch],
  ['something else', (_request, _body, response) => response.end('<html>'), JournalFailure],
  ['nothing that it holds', (_request, _body, response) => response.writeHead(204).end(), JournalFailure],
  ['an error', (_request, _body, response) => response.writeHead(500).end(), JournalFailure],
  [
    'another address',
    (_request, _body, response) => response.writeHead(302, { location: '/x' }).end(),
    JournalFailure,
  ],
  [
    'a body without an end',
    (_request, _body, response) => {
      response.writeHead(200)
      const timer = setInterval(() => response.write('{'), 20)
      response.on('close', () => clearInterval(timer))
    },
    JournalFailure,
  ],
  [
    'a body that is too long',
    (_request, _body, response) => response.end(' '.repeat(100_000)),
    JournalFailure,
  ],
  ['silence', () => undefined, JournalFailure],
])('fails when a URL answers a new position with %s', async (_what, handle, kind) => {
  const place = await serve(handle)
  const started = performance.now()
  await expect(openUrlWitness(place, undefined, 300).write(at(2))).rejects.toThrow(kind)
  expect(performance.now() - started).toBeLessThan(5_000)
})

test('pays with a URL as witness, and locks itself once the URL answers with an older head', async () => {
  const kept = { position: null as JournalPosition | null, token: undefined }
  let handle: Handler = honest(kept)
  const place = await serve((request, body, response) => handle(request, body, response))
  const built = await buildSigner()
  const signer = await startExecutable(built.program)
  try {
    signer.environment.KEYTURN_SIGNER_WITNESS = place
    signer.environment.KEYTURN_SIGNER_WITNESS_TOKEN = 'tok'
    await signer.enrol()
    expect(kept).toMatchObject({ position: { sequence: 1 }, token: 'Bearer tok' })
    const { platform } = signer
    const first = signer.serve()
    platform.queue.push(payoutOfNow('u1', 0))
    await platform.waitFor(() => platform.answers.length === 1)
    expect(platform.answers[0]).toMatchObject({ outcome: 'signed' })
    expect(kept.position?.sequence).toBe(2)
    handle = (_request, _body, response) => response.end(JSON.stringify(at(1)))
    platform.queue.push(payoutOfNow('u2', 1))
    expect(await first.ended).toBe(1)
    expect(platform.answers).toHaveLength(1)
    handle = honest(kept)
    signer.serve()
    await platform.waitFor(() => platform.claims.some((claim) => claim.stopped === 'journal_stale'))
    const status = JSON.parse((await signer.run(['status'])).stdout)
    expect(status).toMatchObject({ locked: { by: 'witness', how: 'differs' }, witness: { place } })
    expect(JSON.stringify(status)).not.toContain('tok"')
  } finally {
    await signer.close()
    built.remove()
  }
})

test('ends the signer before its first claim when the URL of the witness is away', async () => {
  const kept = { position: null as JournalPosition | null }
  const place = await serve(honest(kept))
  const built = await buildSigner()
  const signer = await startExecutable(built.program)
  try {
    signer.environment.KEYTURN_SIGNER_WITNESS = place
    await signer.enrol()
    server?.closeAllConnections()
    await new Promise((resolve) => server?.close(resolve))
    const running = signer.serve()
    expect(await running.ended).toBe(1)
    expect(running.text()).toContain('The witness')
    expect(signer.platform.claims).toEqual([])
    // That says nothing about the journal, so nothing is locked.
    expect(JSON.parse((await signer.run(['status'])).stdout).locked).toBe(false)
  } finally {
    await signer.close()
    built.remove()
  }
})
