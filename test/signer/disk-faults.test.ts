/**
 * Tests the executable on a disk that is really full or read-only: it ends, and signs nothing without a
 * journal.
 */

import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { buildSigner, type Executable, payoutOfNow, type Running, startExecutable } from './executable.js'

/**
 * Runs a test as root, since only root can mount a disk. journal-faults.test.ts has the same faults from a
 * store that fails.
 */
const whereRoot = test.runIf(process.getuid?.() === 0)

let built: Awaited<ReturnType<typeof buildSigner>>
let signer: Executable
const mounts: string[] = []
/** Nonce of the next payout. */
let paid: number

beforeAll(async () => {
  built = await buildSigner()
})
afterAll(() => built.remove())
beforeEach(async () => {
  signer = await startExecutable(built.program)
  paid = 0
})
afterEach(async () => {
  await signer.close(() => {
    for (const mount of mounts.splice(0)) execFileSync('umount', ['--lazy', mount])
  })
})

/** Mounts a small disk at a directory. */
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

/** Asks for one payout after the other. @returns The exit code. */
async function payUntilItEnds(running: Running, name: string): Promise<number | null> {
  const { platform } = signer
  let ended: number | null | undefined
  running.child.once('exit', (code) => {
    ended = code
  })
  for (let nonce = 0; ended === undefined; nonce++) {
    const count = platform.answers.length
    platform.queue.splice(0, platform.queue.length, payoutOfNow(`${name}${nonce}`, paid++))
    await platform.waitFor(() => platform.answers.length > count || ended !== undefined)
  }
  return ended
}

/** Checks that every answered payout is in a whole line. */
function expectAnsweredIn(lines: Buffer): void {
  const text = lines.toString('utf8')
  for (const answer of signer.platform.answers) {
    if (answer.outcome === 'signed') expect(text).toContain(answer.request_id)
  }
}

whereRoot(
  'ends when the disk is full in the middle of a line, and cuts only that line at the next start',
  async () => {
    mountSmallDisk(signer.home)
    await signer.enrol()
    const { platform } = signer
    const running = signer.serve()
    await platform.waitFor(() => platform.claims.length > 0)
    fill(signer.home)
    expect(await payUntilItEnds(running, 'a')).toBe(1)
    expect(running.text()).toContain('ENOSPC')
    const left = readFileSync(journal())
    const whole = left.subarray(0, left.lastIndexOf(0x0a) + 1)
    expectAnsweredIn(whole)

    // The cut and the end of the process freed a little of the full disk. It is soon used up, with the same
    // end.
    expect(await payUntilItEnds(signer.serve(), 'b')).toBe(1)
    const later = readFileSync(journal())
    expect(later.subarray(0, whole.length)).toEqual(whole)
    expectAnsweredIn(later.subarray(0, later.lastIndexOf(0x0a) + 1))

    rmSync(join(signer.home, 'filler'))
    const count = platform.answers.length
    platform.queue.splice(0, platform.queue.length, payoutOfNow('c', paid))
    signer.serve()
    await platform.waitFor(() => platform.answers.length > count)
    expect(platform.answers[count]).toMatchObject({ outcome: 'signed' })
    expect(readFileSync(journal()).subarray(0, whole.length)).toEqual(whole)
  },
)

whereRoot('signs nothing on a read-only disk', async () => {
  mountSmallDisk(signer.home)
  await signer.enrol()
  execFileSync('mount', ['-o', 'remount,ro', signer.home])
  const running = signer.serve()
  expect(await running.ended).toBe(1)
  expect(running.text()).toContain('EROFS')
  expect(signer.platform.claims).toEqual([])
})

whereRoot('ends before the answer leaves when the witness cannot be written', async () => {
  const disk = join(signer.directory, 'elsewhere')
  mountSmallDisk(disk)
  await signer.enrol()
  const running = signer.serve()
  await signer.platform.waitFor(() => signer.platform.claims.length > 0)
  // The disk goes away under the process, as when a person pulls it.
  execFileSync('umount', ['--lazy', disk])
  mounts.splice(0)
  signer.platform.queue.push(payoutOfNow('b', 0))
  expect(await running.ended).toBe(1)
  expect(signer.platform.answers).toEqual([])
  // The journal holds the decision. Without its witness the signer is locked.
  signer.serve()
  await signer.platform.waitFor(() =>
    signer.platform.claims.some((claim) => claim.stopped === 'journal_stale'),
  )
})

whereRoot('signs nothing with a witness on a read-only disk', async () => {
  const disk = join(signer.directory, 'elsewhere')
  mountSmallDisk(disk)
  await signer.enrol()
  execFileSync('mount', ['-o', 'remount,ro', disk])
  const running = signer.serve()
  expect(await running.ended).toBe(1)
  expect(running.text()).toContain('EROFS')
  expect(signer.platform.claims).toEqual([])
})
