/** The executable on a disk that is really full, or cannot be written: it ends, and signs nothing on a journal that is none. */

import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { buildSigner, type Executable, paymentOfNow, startExecutable } from './executable.js'

/** Only root mounts a disk; journal-faults.test.ts has the same faults from a store that fails. */
const whereRoot = test.runIf(process.getuid?.() === 0)

let built: Awaited<ReturnType<typeof buildSigner>>
let signer: Executable
const mounts: string[] = []

beforeAll(async () => {
  built = await buildSigner()
})
afterAll(() => built.remove())
beforeEach(async () => {
  signer = await startExecutable(built.program)
})
afterEach(async () => {
  await signer.close(() => {
    for (const mount of mounts.splice(0)) execFileSync('umount', ['--lazy', mount])
  })
})

/** A small disk of its own. */
function mountSmallDisk(directory: string): void {
  mkdirSync(directory, { recursive: true })
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k,mode=700', 'none', directory])
  mounts.push(directory)
}

function fill(directory: string): void {
  const file = openSync(join(directory, 'filler'), 'a')
  try {
    for (;;) writeSync(file, Buffer.alloc(4_096))
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' })
  } finally {
    closeSync(file)
  }
}

const journal = () => join(signer.home, 'journal.jsonl')
const signedAnswers = () => signer.platform.answers.filter((answer) => answer.outcome === 'signed')

whereRoot(
  'a disk that fills up ends the process in the middle of a line; the next start cuts that line and nothing else',
  async () => {
    mountSmallDisk(signer.home)
    await signer.enrol()
    const { platform } = signer
    const running = signer.serve()
    await platform.waitFor(() => platform.claims.length > 0)
    fill(signer.home)
    let ended: number | null | undefined
    running.child.once('exit', (code) => {
      ended = code
    })
    for (let nonce = 0; ended === undefined; nonce++) {
      const count = platform.answers.length
      platform.queue.push(paymentOfNow(`a${nonce}`, nonce))
      await platform.waitFor(() => platform.answers.length > count || ended !== undefined)
    }
    expect(ended).toBe(1)
    expect(running.text()).toContain('ENOSPC')
    const left = readFileSync(journal())
    const whole = left.subarray(0, left.lastIndexOf(0x0a) + 1)
    // Every payment that was answered is in whole lines.
    for (const answer of signedAnswers()) expect(whole.toString('utf8')).toContain(answer.request_id)

    // As long as the disk is full nothing is signed.
    platform.queue.splice(0)
    const count = platform.answers.length
    expect(await signer.serve().ended).toBe(1)
    expect(platform.answers).toHaveLength(count)

    rmSync(join(signer.home, 'filler'))
    platform.queue.push(paymentOfNow('after', 90))
    signer.serve()
    await platform.waitFor(() => platform.answers.length > count)
    expect(readFileSync(journal()).subarray(0, whole.length)).toEqual(whole)
  },
)

whereRoot('a disk that is read-only signs nothing', async () => {
  mountSmallDisk(signer.home)
  await signer.enrol()
  execFileSync('mount', ['-o', 'remount,ro', signer.home])
  const running = signer.serve()
  expect(await running.ended).toBe(1)
  expect(running.text()).toContain('EROFS')
  expect(signer.platform.claims).toEqual([])
})

whereRoot('a witness that cannot be written ends the process before the answer leaves', async () => {
  const disk = join(signer.directory, 'elsewhere')
  mountSmallDisk(disk)
  await signer.enrol()
  const running = signer.serve()
  await signer.platform.waitFor(() => signer.platform.claims.length > 0)
  // The disk goes away under the process, as a pulled one does.
  execFileSync('umount', ['--lazy', disk])
  mounts.splice(0)
  signer.platform.queue.push(paymentOfNow('b', 0))
  expect(await running.ended).toBe(1)
  expect(signer.platform.answers).toEqual([])
  // What was decided is in the journal; without its witness the signer is locked.
  signer.serve()
  await signer.platform.waitFor(() =>
    signer.platform.claims.some((claim) => claim.stopped === 'journal_stale'),
  )
})

whereRoot('a witness on a disk that is read-only signs nothing', async () => {
  const disk = join(signer.directory, 'elsewhere')
  mountSmallDisk(disk)
  await signer.enrol()
  execFileSync('mount', ['-o', 'remount,ro', disk])
  const running = signer.serve()
  expect(await running.ended).toBe(1)
  expect(running.text()).toContain('EROFS')
  expect(signer.platform.claims).toEqual([])
})
