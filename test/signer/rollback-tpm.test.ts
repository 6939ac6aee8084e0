/**
 * Tests a signer whose witness is in a TPM, on a machine whose disks an attacker takes back as a whole, which
 * no other witness on the machine detects.
 */

import { cpSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { openTpmIndex } from '../../signer/journal/open-witness.js'
import { openFileWitness } from '../../signer/journal/witness-file.js'
import { type TestTpm, testTpm } from '../support/swtpm.js'
import { buildSigner, type Executable, payoutOfNow, type Running, startExecutable } from './executable.js'

let built: Awaited<ReturnType<typeof buildSigner>>
let signer: Executable
let tpm: TestTpm

beforeAll(async () => {
  built = await buildSigner()
})
afterAll(() => built.remove())
beforeEach(async () => {
  signer = await startExecutable(built.program)
  tpm = await testTpm(join(signer.directory, 'tpm'))
  signer.environment.KEYTURN_SIGNER_WITNESS = place()
  await signer.enrol()
})
afterEach(async () => {
  await tpm.kill()
  await signer.close()
})

/** Directory of everything that lies on the machine's disks: the home, and the file beside the TPM. */
const disks = () => [signer.home, join(signer.directory, 'elsewhere')]
const file = () => join(signer.directory, 'elsewhere', 'witness.tpm')
const place = () => tpm.place(file())
const status = async () => JSON.parse((await signer.run(['status'])).stdout)

/** Copies the disks. @returns A function that puts the copy back. */
function snapshot(name: string): () => void {
  const copy = join(signer.directory, name)
  const pairs = disks().map((path, at) => [path, join(copy, String(at))] as const)
  for (const [from, to] of pairs) cpSync(from, to, { recursive: true })
  return () => {
    for (const [path, kept] of pairs) {
      rmSync(path, { recursive: true, force: true })
      cpSync(kept, path, { recursive: true })
    }
  }
}

async function kill({ child, ended }: Running): Promise<void> {
  child.kill('SIGKILL')
  await ended
  signer.platform.disconnect()
}

/** Serves one payout. @returns Its outcome, the reason of a stop, or `ended` with the exit code. */
async function serveOnce(request: ReturnType<typeof payoutOfNow>): Promise<string> {
  const { platform } = signer
  const [answers, claims] = [platform.answers.length, platform.claims.length]
  platform.queue.splice(0, platform.queue.length, request)
  const running = signer.serve()
  let code: number | null | undefined
  void running.ended.then((ended) => {
    code = ended
  })
  const outcome = await platform.waitFor(() => {
    const answer = platform.answers[answers]
    if (answer) return answer.outcome === 'signed' ? 'signed' : answer.code
    if (code !== undefined) return `ended with ${code}`
    return platform.claims.slice(claims).find((claim) => claim.stopped)?.stopped
  })
  await kill(running)
  return outcome
}

/** Returns the same intent and approvals, with a nonce that makes it a second payout. */
function paidAgain({ payload, ...request }: ReturnType<typeof payoutOfNow>, nonce = 1) {
  return { ...request, payload: { ...payload, nonce } as typeof payload }
}

test('pays nothing again when home and file are taken back together, although the platform repeats every head', async () => {
  const atFirst = snapshot('first')
  const payout = payoutOfNow('a1', 0)
  expect(await serveOnce(payout)).toBe('signed')
  const newest = snapshot('newest')
  atFirst()
  expect(await serveOnce(paidAgain(payout))).toBe('journal_stale')
  expect(await status()).toMatchObject({
    locked: { by: 'witness', how: 'witness_behind', known: null },
    witness: { place: place(), state: 'witness_behind', reason: expect.stringContaining('taken back') },
  })
  // Removing the lock by hand does not open the signer.
  rmSync(join(signer.home, 'LOCKED'))
  expect(await serveOnce(paidAgain(payout))).toBe('journal_stale')
  // The newest disks prove themselves to the TPM, so nothing is lost.
  const locked = readFileSync(join(signer.home, 'LOCKED'))
  newest()
  rmSync(join(signer.home, 'LOCKED'), { force: true })
  expect((await status()).witness.state).toBe('agrees')
  expect(locked.includes('witness_behind')).toBe(true)
  expect(await serveOnce(payout)).toBe('signed')
})

test('unlock refuses every older intent while the disks are old, and none once the newest are back', async () => {
  const atFirst = snapshot('first')
  const waiting = payoutOfNow('b2', 1)
  const payout = payoutOfNow('b1', 0)
  expect(await serveOnce(payout)).toBe('signed')
  const newest = snapshot('newest')
  atFirst()
  expect(await serveOnce(paidAgain(payout))).toBe('journal_stale')
  const { head } = (await status()).locked.own
  const lock = readFileSync(join(signer.home, 'LOCKED'))
  const old = snapshot('old')
  // The newest disks are back, beside the lock that the old ones got.
  newest()
  renameSync(join(signer.directory, 'old', '0', 'LOCKED'), join(signer.home, 'LOCKED'))
  expect(readFileSync(join(signer.home, 'LOCKED'))).toEqual(lock)
  expect(JSON.parse((await signer.run(['unlock', '--head', head])).stdout)).toMatchObject({ lost: null })
  expect(await serveOnce(waiting)).toBe('signed')
  old()
  expect(await serveOnce(paidAgain(payout))).toBe('journal_stale')
  const shown = await signer.run(['unlock', '--head', head])
  expect(JSON.parse(shown.stdout)).toMatchObject({
    unlocked: true,
    witness: place(),
    clock: expect.stringContaining('must be right'),
  })
  expect(await serveOnce(paidAgain(payout))).toBe('JOURNAL_STALE')
  expect(await serveOnce(payoutOfNow('b3', 0))).toBe('signed')
})

test('shows what is lost, and its time, when the home alone was taken back', async () => {
  const atFirst = snapshot('first')
  const payout = payoutOfNow('c1', 0)
  expect(await serveOnce(payout)).toBe('signed')
  const kept = readFileSync(file())
  atFirst()
  writeFileSync(file(), kept)
  expect(await serveOnce(paidAgain(payout))).toBe('journal_stale')
  const { locked } = await status()
  expect(locked).toMatchObject({ how: 'behind', known: { sequence: 2, at: expect.any(String) } })
  const unlocked = JSON.parse((await signer.run(['unlock', '--head', locked.known.head])).stdout)
  expect(unlocked).toMatchObject({ lost: { from_sequence: 2, to_sequence: 2 } })
  expect(unlocked).not.toHaveProperty('clock')
  expect(await serveOnce(paidAgain(payout))).toBe('JOURNAL_STALE')
})

test.each<[string, () => Promise<unknown>]>([
  ['the index was removed', () => removeIndex()],
  ['the TPM was cleared', () => tpm.clear()],
  ['the home was moved to another TPM', () => replaceTpm()],
])('locks the signer when %s; unlock makes the index again, and sets the fence', async (_what, change) => {
  const waiting = payoutOfNow('d2', 1)
  expect(await serveOnce(payoutOfNow('d1', 0))).toBe('signed')
  await change()
  expect(await serveOnce(waiting)).toBe('journal_stale')
  const { locked } = await status()
  expect(locked).toMatchObject({ by: 'witness', how: 'witness_unreadable' })
  expect(await signer.run(['unlock', '--head', locked.own.head])).toMatchObject({ code: 0 })
  expect(await serveOnce(waiting)).toBe('JOURNAL_STALE')
  expect(await serveOnce(payoutOfNow('d3', 1))).toBe('signed')
})

function removeIndex(): Promise<void> {
  return openTpmIndex(place(), null).undefine()
}

async function replaceTpm(): Promise<void> {
  await tpm.kill()
  rmSync(join(signer.directory, 'tpm', 'memory'), { recursive: true })
  await tpm.start()
}

test('ends before the answer leaves when the TPM goes away, locks nothing, and goes on when it is back', async () => {
  const running = signer.serve()
  const { platform } = signer
  await platform.waitFor(() => platform.claims.length > 0)
  await tpm.kill()
  const payout = payoutOfNow('e1', 0)
  platform.queue.push(payout)
  expect(await running.ended).toBe(1)
  expect(platform.answers).toEqual([])
  expect(running.text()).toContain('The witness tpm:')
  // A start without the TPM ends before the first claim.
  const claims = platform.claims.length
  const again = signer.serve()
  expect(await again.ended).toBe(1)
  expect(platform.claims).toHaveLength(claims)
  expect(await status()).toMatchObject({ locked: false, witness: { state: 'unknown' } })
  await tpm.start()
  expect(await serveOnce(payout)).toBe('signed')
})

test('lets nothing leave while the TPM hangs, and ends after SIGTERM without waiting for it', async () => {
  const running = signer.serve()
  const { platform } = signer
  await platform.waitFor(() => platform.claims.length > 0)
  tpm.hang()
  platform.queue.push(payoutOfNow('j1', 0))
  await platform.waitFor(() => readFileSync(join(signer.home, 'journal.jsonl'), 'utf8').includes('decided'))
  running.child.kill('SIGTERM')
  // An end because the TPM did not answer in time would be 1.
  expect(await running.ended).toBe(0)
  expect(platform.answers).toEqual([])
})

test('ends by itself when the TPM hangs', async () => {
  const running = signer.serve()
  const { platform } = signer
  await platform.waitFor(() => platform.claims.length > 0)
  tpm.hang()
  platform.queue.push(payoutOfNow('k1', 0))
  expect(await running.ended).toBe(1)
  expect(running.text()).toContain('did not answer in time')
  expect(platform.answers).toEqual([])
})

test('unlocks with another witness when the TPM is lost for good, and refuses every older intent', async () => {
  const atFirst = snapshot('first')
  const payout = payoutOfNow('f1', 0)
  expect(await serveOnce(payout)).toBe('signed')
  atFirst()
  await tpm.kill()
  rmSync(tpm.socket, { force: true })
  expect(await serveOnce(paidAgain(payout))).toBe('ended with 1')
  const to = join(signer.directory, 'other', 'witness')
  expect(await signer.run(['unlock'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('not locked'),
  })
  const shown = await signer.run(['unlock', '--witness', to])
  const { confirm_with: head } = JSON.parse(shown.stdout)
  expect(await signer.run(['unlock', '--witness', to, '--head', head])).toMatchObject({ code: 0 })
  expect(await serveOnce(paidAgain(payout))).toBe('JOURNAL_STALE')
  expect(await serveOnce(payoutOfNow('f2', 0))).toBe('signed')
})

test('gives no way around the TPM by unlock with a new place while the TPM can be asked', async () => {
  const to = join(signer.directory, 'other', 'witness')
  expect(await signer.run(['unlock', '--witness', to])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('not locked'),
  })
})

test('sets the fence when an old disk is unlocked with a witness that another has put there', async () => {
  const atFirst = snapshot('first')
  const planted = join(signer.directory, 'planted')
  const payout = payoutOfNow('g1', 0)
  const { head, sequence, last_entry_at: at } = (await status()).journal
  await openFileWitness(planted).write({ head, sequence, at })
  expect(await serveOnce(payout)).toBe('signed')
  atFirst()
  expect(await serveOnce(paidAgain(payout))).toBe('journal_stale')
  const own = (await status()).locked.own.head
  expect(await signer.run(['unlock', '--witness', planted, '--head', own])).toMatchObject({ code: 0 })
  expect(await serveOnce(paidAgain(payout))).toBe('JOURNAL_STALE')
})

test('moves from a TPM to a file and back; a copy of the home from before is locked each time', async () => {
  const inTpm = snapshot('in-tpm')
  const to = join(signer.directory, 'elsewhere', 'plain')
  expect(JSON.parse((await signer.run(['witness', '--to', to])).stdout)).toMatchObject({ witness: to })
  // The index is free again.
  expect(await openTpmIndex(place(), null).read()).toEqual({ how: 'missing' })
  const payout = payoutOfNow('h1', 0)
  expect(await serveOnce(payout)).toBe('signed')
  const inFile = snapshot('in-file')
  inTpm()
  expect(await serveOnce(paidAgain(payout))).toBe('journal_stale')
  inFile()
  const moved = await signer.run(['witness', '--to', place()])
  expect(JSON.parse(moved.stdout)).toMatchObject({
    witness: place(),
    warning: expect.stringContaining('before this move'),
  })
  expect(await serveOnce(paidAgain(payoutOfNow('h2', 1), 1))).toBe('signed')
  inTpm()
  expect(await serveOnce(paidAgain(payout, 2))).toBe('journal_stale')
})

test('names the device and the file beside it in full, keeps no secret in them, and starts no other program', async () => {
  const signerFile = JSON.parse(readFileSync(join(signer.home, 'signer.json'), 'utf8'))
  expect(signerFile.witness).toBe(place())
  const running = signer.serve()
  const { platform } = signer
  platform.queue.push(payoutOfNow('i1', 0))
  await platform.waitFor(() => platform.answers.length === 1)
  const children = readFileSync(`/proc/${running.child.pid}/task/${running.child.pid}/children`, 'utf8')
  expect(children.trim()).toBe('')
  await kill(running)
})

test('refuses a place in a TPM of another form', async () => {
  for (const named of [
    'tpm:',
    'tpm:0x02000000',
    'tpm:0x018000',
    'tpm:0x01804b54?password=x',
    'tpm:0x01804b54?device=tpm0',
    'tpm:0x01804b54?file=record',
  ]) {
    const shown = await signer.run(['witness', '--to', named])
    expect(shown).toMatchObject({ code: 1, stderr: expect.stringMatching(/witness/i) })
    expect(shown.stderr).not.toContain('    at ')
  }
})

test('refuses an index that something else uses, and a file inside the home', async () => {
  const to = join(signer.directory, 'elsewhere', 'plain')
  expect(await signer.run(['witness', '--to', to])).toMatchObject({ code: 0 })
  await openTpmIndex(place(), Buffer.alloc(32, 9)).define()
  expect(await signer.run(['witness', '--to', place()])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('not of this signer'),
  })
  expect(await signer.run(['witness', '--to', tpm.place(join(signer.home, 'record'))])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('inside the home'),
  })
})
