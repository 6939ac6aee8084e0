/** Tests the witness in a TPM alone, on a TPM in software: what it holds, and what it does not believe. */

import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { JournalPosition } from '../../signer/journal/journal.js'
import { JournalFailure } from '../../signer/journal/journal-failure.js'
import { openWitness } from '../../signer/journal/open-witness.js'
import { makeTpmRecord, openTpmRecordFile, tpmKeys } from '../../signer/journal/tpm-record.js'
import { openTpmWitness } from '../../signer/journal/witness-tpm.js'
import { connectTpm, type Tpm } from '../../signer/tpm/connect-tpm.js'
import { sized, u32 } from '../../signer/tpm/marshal.js'
import { type NvIndex, openNvIndex } from '../../signer/tpm/nv-index.js'
import { runWithPassword } from '../../signer/tpm/run-command.js'
import { type TestTpm, TPM_INDEX, testTpm, testTpmDevice } from '../support/swtpm.js'

const KEY = Buffer.alloc(32, 7)
const keys = tpmKeys(KEY)
const NO_PASSWORD = Buffer.alloc(0)

const at = (sequence: number): JournalPosition => ({
  head: sequence.toString(16).padStart(64, '0'),
  sequence,
  at: `2026-06-01T12:00:${String(sequence).padStart(2, '0')}.000Z`,
})

let directory: string
let tpm: TestTpm
let server: Server | null
let file: string
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'keyturn-tpm-'))
  tpm = await testTpm(directory)
  file = join(directory, 'record')
  server = null
})
afterEach(async () => {
  server?.close()
  await tpm.kill()
  rmSync(directory, { recursive: true })
})

const open = (key: Buffer | null = KEY) => openWitness(tpm.place(file), key)
const indexOf = (secret: Buffer | null = keys.index, device = tpm.socket, timeoutMs = 5_000) =>
  openNvIndex(device, TPM_INDEX, secret, NO_PASSWORD, timeoutMs)

/** Writes positions, and keeps the file that belonged to each. */
async function write(...sequences: number[]): Promise<Buffer[]> {
  const files: Buffer[] = []
  const witness = open()
  await witness.read()
  for (const sequence of sequences) {
    await witness.write(at(sequence))
    files.push(readFileSync(file))
  }
  return files
}

test('keeps the last position, also after a power cut of the TPM', async () => {
  expect(await open().read()).toBeNull()
  await write(1, 5, 6)
  expect(await open().read()).toEqual(at(6))
  await tpm.kill()
  await tpm.start()
  expect(await open().read()).toEqual(at(6))
  await write(7)
  expect(await open().read()).toEqual(at(7))
  // A command without the passphrase reads it too, as the owner of the TPM.
  expect(await open(null).read()).toEqual(at(7))
  await expect(open(null).write(at(8))).rejects.toThrow('the passphrase is needed')
})

test('keeps the position in a TPM behind a device as in one behind a socket', async () => {
  const { running, device } = await testTpmDevice(directory)
  try {
    const witness = openTpmWitness('tpm', indexOf(keys.index, device), openTpmRecordFile(file), keys)
    expect(await witness.read()).toBeNull()
    for (const sequence of [1, 2, 3]) await witness.write(at(sequence))
    expect(await openWitness(tpm.place(file).replace(tpm.socket, device), KEY).read()).toEqual(at(3))
  } finally {
    await running.stop()
  }
})

test('writes nothing for a position that it holds already', async () => {
  await write(1)
  const before = await indexOf().read()
  await write(1)
  expect(await indexOf().read()).toEqual(before)
})

test('finds every earlier file older than the TPM', async () => {
  const files = await write(1, 2, 3)
  for (const older of files.slice(0, -1)) {
    writeFileSync(file, older)
    await expect(open().read()).rejects.toMatchObject({ how: 'witness_behind' })
    await expect(open(null).read()).rejects.toMatchObject({ how: 'witness_behind' })
  }
  // The newest one proves itself again.
  writeFileSync(file, files.at(-1) ?? '')
  expect(await open().read()).toEqual(at(3))
})

test('does not believe a file that another has written for the present value of the TPM', async () => {
  await write(1, 2)
  const now = await indexOf().read()
  if (now.how !== 'written') throw new Error('The TPM holds a value')
  const { record } = makeTpmRecord(tpmKeys(Buffer.alloc(32, 8)), at(1), now.value)
  openTpmRecordFile(file).write(record)
  await expect(open().read()).rejects.toMatchObject({ how: 'witness_unreadable' })
  for (const text of ['', '{}', readFileSync(file, 'utf8').replace('"sequence": 1', '"sequence": 2')]) {
    writeFileSync(file, text)
    await expect(open().read()).rejects.toMatchObject({ how: 'witness_unreadable' })
  }
  rmSync(file)
  await expect(open().read()).rejects.toMatchObject({ how: 'witness_unreadable' })
})

test('holds one of two files that were made for the same value of the TPM, once one was counted', async () => {
  await write(1)
  const one = readFileSync(file)
  // The first process dies after it wrote its file, and a restored disk lets a second one count another.
  const dies: NvIndex = { ...indexOf(), extend: () => Promise.reject(new Error('killed')) }
  const witness = openTpmWitness('tpm', dies, openTpmRecordFile(file), keys)
  await witness.read()
  await expect(witness.write(at(2))).rejects.toThrow('killed')
  const pending = readFileSync(file)
  expect(await open().read()).toEqual(at(2))
  writeFileSync(file, one)
  await write(3)
  writeFileSync(file, pending)
  await expect(open().read()).rejects.toMatchObject({ how: 'witness_behind' })
})

test.each([
  ['before the TPM counts', (index: NvIndex) => ({ ...index, extend: fail })],
  [
    'after the TPM has counted',
    (index: NvIndex) => ({ ...index, extend: (data: Buffer) => index.extend(data).then(fail) }),
  ],
])('goes on after the process died %s', async (_when, dying) => {
  await write(1)
  const witness = openTpmWitness('tpm', dying(indexOf()), openTpmRecordFile(file), keys)
  await witness.read()
  await expect(witness.write(at(2))).rejects.toThrow('killed')
  const next = open()
  expect(await next.read()).toEqual(at(2))
  await next.write(at(2))
  await next.write(at(3))
  expect(await open().read()).toEqual(at(3))
})

function fail(): Promise<Buffer> {
  return Promise.reject(new Error('killed'))
}

test('creates the index again after the process died between its creation and the first position', async () => {
  await indexOf().define()
  expect(await open().read()).toBeNull()
  await write(1)
  expect(await open().read()).toEqual(at(1))
})

test('fails for the second of two processes that use the index', async () => {
  await write(1)
  const [one, other] = [open(), open()]
  await one.read()
  await other.read()
  await one.write(at(2))
  await expect(other.write(at(3))).rejects.toThrow('a copy of this home may be in use')
  await expect(one.write(at(4))).rejects.toThrow('a copy of this home may be in use')
  await expect(open().read()).rejects.toThrow(JournalFailure)
})

test.each<[string, () => Promise<unknown>, string]>([
  ['was removed by the owner of the TPM', () => indexOf().undefine(), 'no such index'],
  ['was cleared with the TPM', () => tpm.clear(), 'no such index'],
  [
    'was removed and made again with another secret',
    async () => {
      await indexOf().undefine()
      await indexOf(Buffer.alloc(32, 1)).define()
      await indexOf(Buffer.alloc(32, 1)).extend(Buffer.alloc(32))
    },
    'not of this signer',
  ],
])('does not believe an index that %s', async (_what, change, message) => {
  await write(1)
  await change()
  await expect(open().read()).rejects.toMatchObject({
    how: 'witness_unreadable',
    message: expect.stringContaining(message),
  })
})

test('agrees with no file of an earlier index of the same secret', async () => {
  const files = await write(1, 2)
  await indexOf().undefine()
  rmSync(file)
  // The same positions are counted again.
  await write(1)
  for (const older of files) {
    writeFileSync(file, older)
    await expect(open().read()).rejects.toThrow(JournalFailure)
  }
  // With an index that has counted nothing, no file agrees either.
  await indexOf().undefine()
  await indexOf().define()
  for (const older of files) {
    writeFileSync(file, older)
    expect(await open().read()).toBeNull()
  }
})

test('needs the password of the owner only to create the index', async () => {
  const owner = Buffer.from('owner')
  await setOwnerPassword(owner)
  const without = openTpmWitness('tpm', indexOf(), openTpmRecordFile(file), keys)
  await expect(without.write(at(1))).rejects.toThrow('the TPM refused')
  const withIt = openNvIndex(tpm.socket, TPM_INDEX, keys.index, owner)
  await openTpmWitness('tpm', withIt, openTpmRecordFile(file), keys).write(at(1))
  await write(2)
  expect(await open().read()).toEqual(at(2))
  await expect(open(null).read()).rejects.toThrow('the TPM refused')
})

async function setOwnerPassword(password: Buffer): Promise<void> {
  const connection = await connectTpm(tpm.socket, Date.now() + 5_000)
  const handles = [{ handle: 0x40000001, name: u32(0x40000001) }]
  await runWithPassword(connection, { code: 0x129, handles, parameters: sized(password) }, NO_PASSWORD)
  connection.close()
}

/** Puts a program between the signer and the TPM. @returns The path of its socket. */
async function between(
  answer: (command: Buffer, ask: (command: Buffer) => Promise<Buffer>) => Promise<Buffer> | Buffer,
): Promise<string> {
  const path = join(directory, 'between')
  server = createServer((socket: Socket) => {
    let real: Promise<Tpm> | null = null
    const ask = async (command: Buffer) => {
      real ??= connectTpm(tpm.socket, Date.now() + 60_000)
      return (await real).send(command)
    }
    socket.on('data', async (command) => socket.write(await answer(command as Buffer, ask)))
    socket.on('error', () => undefined)
    socket.on('close', async () => (await real)?.close())
  })
  await new Promise<void>((resolve) => server?.listen(path, resolve))
  return path
}

test('shows the secret to no program between it and the TPM, and takes no answer of an earlier time', async () => {
  await write(1)
  const seen: Buffer[] = []
  const earlier = new Map<string, Buffer>()
  let replays = false
  const path = await between(async (command, ask) => {
    seen.push(command)
    const code = command.subarray(6, 10).toString('hex')
    const stored = earlier.get(code)
    if (replays && stored) return stored
    const response = await ask(command)
    earlier.set(code, response)
    return response
  })
  const index = indexOf(keys.index, path)
  const witness = openTpmWitness('tpm', index, openTpmRecordFile(file), keys)
  expect(await witness.read()).toEqual(at(1))
  const older = readFileSync(file)
  await witness.write(at(2))
  expect(Buffer.concat(seen).includes(keys.index)).toBe(false)
  // The disk is taken back, and the program repeats what the TPM answered when the file was the newest.
  replays = true
  writeFileSync(file, older)
  await expect(index.read()).rejects.toThrow('not of the TPM that holds the secret')
  await expect(index.extend(Buffer.alloc(32))).rejects.toThrow('not of the TPM that holds the secret')
})

test.each([
  ['limits the rate of writes', 0x920],
  ['tests itself', 0x90a],
  ['asks for a retry', 0x922],
])('waits for a TPM that %s', async (_what, code) => {
  let left = 5
  const path = await between((command, ask) => {
    if (left-- <= 0) return ask(command)
    const refusal = Buffer.from('80010000000a00000000', 'hex')
    refusal.writeUInt32BE(code, 6)
    return refusal
  })
  const witness = openTpmWitness('tpm', indexOf(keys.index, path), openTpmRecordFile(file), keys)
  await witness.write(at(1))
  expect(await open().read()).toEqual(at(1))
})

test.each<[string, (command: Buffer) => Promise<Buffer> | Buffer]>([
  ['never answers', () => new Promise<Buffer>(() => {})],
  ['limits the rate of writes without an end', () => Buffer.from('80010000000a00000920', 'hex')],
  ['answers with too many bytes', () => Buffer.alloc(8_192)],
  ['answers with a part', () => Buffer.from('8001000000ff', 'hex')],
  ['fails', () => Buffer.from('80010000000a00000101', 'hex')],
])('fails in time with a TPM that %s', async (_what, answer) => {
  const path = await between(answer)
  const witness = openTpmWitness('tpm', indexOf(keys.index, path, 300), openTpmRecordFile(file), keys)
  const started = performance.now()
  await expect(witness.read()).rejects.toThrow(JournalFailure)
  expect(performance.now() - started).toBeLessThan(5_000)
})

test('fails when the TPM is gone, which says nothing about the journal', async () => {
  await write(1)
  await tpm.kill()
  await expect(open().read()).rejects.toThrow(JournalFailure)
  rmSync(tpm.socket, { force: true })
  await expect(open().read()).rejects.toThrow('ENOENT')
  writeFileSync(tpm.socket, '')
  await expect(open().read()).rejects.toThrow('neither a device nor a socket')
  rmSync(tpm.socket)
  await tpm.start()
  copyFileSync(file, join(directory, 'copy'))
  expect(await open().read()).toEqual(at(1))
})
