/**
 * Tests a home that was restored from an earlier time, with a platform that repeats every head that it hears.
 */

import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { unlockCommand } from '../../signer/commands/unlock.js'
import { Journal } from '../../signer/journal/journal.js'
import { openFileStore } from '../../signer/journal/journal-store.js'
import { openFileWitness } from '../../signer/journal/witness-file.js'
import { buildSigner, type Executable, payoutOfNow, type Running, startExecutable } from './executable.js'

let built: Awaited<ReturnType<typeof buildSigner>>
let signer: Executable

beforeAll(async () => {
  built = await buildSigner()
})
afterAll(() => built.remove())
beforeEach(async () => {
  signer = await startExecutable(built.program)
  await signer.enrol()
})
afterEach(() => signer.close())

const journal = () => join(signer.home, 'journal.jsonl')
const status = async () => JSON.parse((await signer.run(['status'])).stdout)

/** Ends a signer at once, as a power cut does. */
async function kill({ child, ended }: Running): Promise<void> {
  child.kill('SIGKILL')
  await ended
  signer.platform.disconnect()
}

/** Returns the same intent and approvals, with a nonce that makes it a second payout. */
function paidAgain({ payload, ...request }: ReturnType<typeof payoutOfNow>, nonce = 1) {
  return { ...request, payload: { ...payload, nonce } as typeof payload }
}

/** Asks for one payout, and waits for the signature or the report of a lock. */
async function ask(request: ReturnType<typeof payoutOfNow>): Promise<string> {
  const { platform } = signer
  const [answers, claims] = [platform.answers.length, platform.claims.length]
  platform.queue.splice(0, platform.queue.length, request)
  return platform.waitFor(() => {
    const answer = platform.answers[answers]
    if (answer) return answer.outcome === 'signed' ? 'signed' : answer.code
    return platform.claims.slice(claims).find((claim) => claim.stopped)?.stopped
  })
}

test.each([
  ['an old copy of the journal', (old: string) => copyFileSync(old, journal())],
  ['an emptied journal', () => truncateSync(journal())],
  ['a deleted journal', () => rmSync(journal())],
])(
  'pays nothing again with %s in its place, although the platform repeats every head',
  async (_what, rollBack) => {
    const old = join(signer.directory, 'old')
    copyFileSync(journal(), old)
    const first = signer.serve()
    const payout = payoutOfNow('a1', 0)
    expect(await ask(payout)).toBe('signed')
    await kill(first)
    rollBack(old)
    const again = signer.serve()
    // This has the same intent and approvals, with a nonce that makes it a second payout.
    const second = paidAgain(payout)
    expect(await ask(second)).toBe('journal_stale')
    await kill(again)
  },
)

const signerFile = () => join(signer.home, 'signer.json')
const readSigner = () => JSON.parse(readFileSync(signerFile(), 'utf8'))
const lines = () => readFileSync(journal(), 'utf8').trimEnd().split('\n')

/**
 * Removes the witness from a home, as in a version without witnesses, and has the operator accept the home.
 */
async function forgetWitness(): Promise<void> {
  const { witness: _witness, seal: _seal, ...older } = readSigner()
  writeFileSync(signerFile(), JSON.stringify(older))
  expect(await signer.run(['run'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('policy accept'),
  })
  expect(await signer.run(['policy', 'accept', '--yes'])).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('signer.json has no genuine seal'),
  })
}

async function pay(id: string, nonce: number): Promise<ReturnType<typeof payoutOfNow>> {
  const running = signer.serve()
  const payout = payoutOfNow(id, nonce)
  expect(await ask(payout)).toBe('signed')
  await kill(running)
  return payout
}

async function serveOnce(request: ReturnType<typeof payoutOfNow>): Promise<string> {
  const running = signer.serve()
  const answer = await ask(request)
  await kill(running)
  return answer
}

test('unlock shows the loss, changes nothing without the head, and refuses every older intent after it', async () => {
  const old = join(signer.directory, 'old')
  copyFileSync(journal(), old)
  const payout = await pay('b1', 0)
  copyFileSync(old, journal())
  const second = paidAgain(payout)
  expect(await serveOnce(second)).toBe('journal_stale')
  const before = await status()
  expect(before).toMatchObject({
    locked: { by: 'witness', how: 'behind', known: { sequence: 2 }, own: { sequence: 1 } },
    witness: { place: signer.witness, state: 'behind', warning: expect.stringContaining('same filesystem') },
  })
  const shown = await signer.run(['unlock'])
  expect(shown).toMatchObject({ code: 1, stderr: expect.stringContaining('Nothing is changed') })
  expect(JSON.parse(shown.stdout)).toMatchObject({
    unlocked: false,
    own: { sequence: 1, last_entry_at: before.journal.last_entry_at },
    lost: { from_sequence: 2, to_sequence: 2 },
    confirm_with: before.locked.known.head,
  })
  expect(await signer.run(['unlock', '--head', 'cd'.repeat(32)])).toMatchObject({ code: 1 })
  expect(lines()).toHaveLength(1)
  const unlocked = await signer.run(['unlock', '--head', before.locked.known.head])
  expect(JSON.parse(unlocked.stdout)).toMatchObject({ unlocked: true, journal: { sequence: 3 } })
  expect(await serveOnce(second)).toBe('JOURNAL_STALE')
  expect(await serveOnce(payoutOfNow('b2', 1))).toBe('signed')
})

/** Runs `unlock` in this process, with a clock that is two hours behind. */
async function unlockBehind(args: readonly string[]): Promise<Record<string, unknown>> {
  let text = ''
  const written = vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    text += chunk
    return true
  })
  vi.stubEnv('KEYTURN_SIGNER_PASSPHRASE', signer.environment.KEYTURN_SIGNER_PASSPHRASE)
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 2 * 3_600_000 })
  try {
    await unlockCommand.run(['--home', signer.home, ...args]).catch((error: unknown) => {
      if (!args.includes('--head')) return
      throw error
    })
  } finally {
    vi.useRealTimers()
    vi.unstubAllEnvs()
    written.mockRestore()
  }
  return JSON.parse(text)
}

test('refuses an intent that was paid in the lost part, although the clock was behind when unlock ran', async () => {
  const old = readFileSync(journal())
  const payout = await pay('p1', 0)
  const lastAt = JSON.parse(lines().at(-2) ?? '').at
  writeFileSync(journal(), old)
  const second = paidAgain(payout)
  expect(await serveOnce(second)).toBe('journal_stale')
  const { head } = (await status()).locked.known
  expect(await unlockBehind([])).toMatchObject({ unlocked: false, fence: lastAt })
  expect(await unlockBehind(['--head', head])).toMatchObject({ unlocked: true, fence: lastAt })
  expect(await serveOnce(second)).toBe('JOURNAL_STALE')
  expect(await serveOnce(payoutOfNow('p2', 1))).toBe('signed')
})

test('sets the fence by the clock, and says that it must be right, where the witness knows no time', async () => {
  await pay('q1', 0)
  rmSync(signer.witness)
  expect(await serveOnce(payoutOfNow('q2', 1))).toBe('journal_stale')
  const { head } = (await status()).locked.own
  const shown = await signer.run(['unlock'])
  expect(JSON.parse(shown.stdout)).toMatchObject({ fence: expect.any(String), clock: expect.any(String) })
  expect(JSON.parse((await signer.run(['unlock', '--head', head])).stdout)).toMatchObject({
    unlocked: true,
    fence: JSON.parse(lines().at(-1) ?? '').at,
    clock: expect.stringContaining('must be right'),
  })
})

test.each([
  ['was gone', () => rmSync(signer.witness)],
  ['was unreadable', () => writeFileSync(signer.witness, 'damaged')],
])(
  'sets the fence when the witness %s and an older one that agrees was put there since',
  async (_what, spoil) => {
    const [old, oldWitness] = [readFileSync(journal()), readFileSync(signer.witness)]
    const second = paidAgain(await pay('r1', 0))
    writeFileSync(journal(), old)
    spoil()
    expect(await serveOnce(second)).toBe('journal_stale')
    writeFileSync(signer.witness, oldWitness)
    const { head } = (await status()).locked.own
    expect(await signer.run(['unlock', '--head', head])).toMatchObject({ code: 0 })
    expect(await serveOnce(second)).toBe('JOURNAL_STALE')
    expect(await serveOnce(payoutOfNow('r2', 1))).toBe('signed')
  },
)

test('says in one line that the witness cannot be read', async () => {
  rmSync(signer.witness)
  mkdirSync(signer.witness)
  const { code, stderr } = await signer.run(['run'])
  expect(code).toBe(1)
  expect(stderr).toMatch(/^The witness .* failed: EISDIR.*$/m)
  expect(stderr).not.toContain('    at ')
})

test('accepts no loss when the right journal is back, and keeps older intents payable', async () => {
  const old = join(signer.directory, 'old')
  copyFileSync(journal(), old)
  const waiting = payoutOfNow('c2', 1)
  await pay('c1', 0)
  const right = readFileSync(journal())
  copyFileSync(old, journal())
  expect(await serveOnce(waiting)).toBe('journal_stale')
  writeFileSync(journal(), right)
  const { locked } = await status()
  expect(await signer.run(['unlock', '--head', locked.known.head])).toMatchObject({ code: 0 })
  expect(readFileSync(journal())).toEqual(right)
  expect(await serveOnce(waiting)).toBe('signed')
})

test('cannot detect a snapshot that takes home and witness back together, so init and status warn of it', async () => {
  const [old, oldWitness] = [readFileSync(journal()), readFileSync(signer.witness)]
  const payout = await pay('l1', 0)
  writeFileSync(journal(), old)
  writeFileSync(signer.witness, oldWitness)
  expect(await serveOnce(paidAgain(payout))).toBe('signed')
  expect((await status()).witness).toMatchObject({ state: 'agrees', warning: expect.any(String) })
})

test('locks the signer when the witness is gone; only unlock makes it again, and sets the fence', async () => {
  const payout = await pay('d1', 0)
  const waiting = payoutOfNow('d2', 1)
  rmSync(signer.witness)
  expect(await serveOnce(paidAgain(payout))).toBe('journal_stale')
  expect(existsSync(signer.witness)).toBe(false)
  const { locked } = await status()
  expect(locked).toMatchObject({ by: 'witness', how: 'witness_missing', known: null })
  // Removing the lock by hand does not open the signer.
  rmSync(join(signer.home, 'LOCKED'))
  expect(await serveOnce(waiting)).toBe('journal_stale')
  const elsewhere = join(signer.directory, 'new-disk', 'witness')
  const unlocked = await signer.run(['unlock', '--head', locked.own.head, '--witness', elsewhere])
  expect(JSON.parse(unlocked.stdout)).toMatchObject({ unlocked: true, witness: elsewhere })
  expect(readSigner().witness).toBe(elsewhere)
  expect(await serveOnce(waiting)).toBe('JOURNAL_STALE')
  expect(await serveOnce(payoutOfNow('d3', 1))).toBe('signed')
})

test('locks the signer when the records of the witness are damaged', async () => {
  await pay('e1', 0)
  writeFileSync(
    signer.witness,
    readFileSync(signer.witness, 'utf8').replaceAll('"sequence":', '"sequence":9'),
  )
  expect(await serveOnce(payoutOfNow('e2', 1))).toBe('journal_stale')
  expect((await status()).locked).toMatchObject({ how: 'witness_unreadable' })
})

test('serves with a journal that is ahead of its witness after a crash', async () => {
  const before = readFileSync(signer.witness)
  const payout = await pay('f1', 0)
  writeFileSync(signer.witness, before)
  expect(await serveOnce(payout)).toBe('signed')
  expect(signer.platform.answers[1]).toMatchObject({
    transaction_hash: (signer.platform.answers[0] as { transaction_hash: string }).transaction_hash,
  })
  expect((await status()).witness.known.sequence).toBeGreaterThan(1)
})

test('gives a home without a witness one at its first start, once; its old snapshot gets no other', async () => {
  const old = join(signer.directory, 'old')
  await forgetWitness()
  rmSync(signer.witness)
  const snapshot = readFileSync(signerFile())
  copyFileSync(journal(), old)
  const payout = await pay('g1', 0)
  expect(readSigner().witness).toBe(signer.witness)
  const second = paidAgain(payout)
  writeFileSync(signerFile(), snapshot)
  copyFileSync(old, journal())
  expect(await serveOnce(second)).toBe('journal_stale')
})

test('locks a home without witness and journal; an empty journal pays only what is created later', async () => {
  const payout = await pay('h1', 0)
  const second = paidAgain(payout)
  await forgetWitness()
  rmSync(signer.witness)
  rmSync(journal())
  expect(await serveOnce(second)).toBe('journal_stale')
  expect((await status()).locked).toMatchObject({ how: 'journal_missing' })
  rmSync(join(signer.home, 'LOCKED'))
  truncateSync(journal())
  expect(await serveOnce(second)).toBe('JOURNAL_STALE')
})

test('pays only intents that are created after init, also when the journal was removed before it', async () => {
  const payout = await pay('i1', 0)
  const second = paidAgain(payout)
  for (const path of [signerFile(), journal(), signer.witness]) rmSync(path)
  const where = ['--platform', signer.platform.url, '--token', signer.platform.token]
  expect(await signer.run(['init', ...where, '--limit', 'ethereum:eth:100:250'])).toMatchObject({ code: 0 })
  expect(signer.platform.enrolments.at(-1)).toMatchObject({ journal_sequence: 1 })
  expect(await serveOnce(second)).toBe('JOURNAL_STALE')
  expect(await serveOnce(payoutOfNow('i2', 0))).toBe('signed')
})

test.each<[string, (file: Record<string, unknown>) => void]>([
  [
    'names another witness',
    (file) => void Object.assign(file, { witness: join(signer.directory, 'forged') }),
  ],
  ['names no witness', (file) => void delete file.witness],
  ['is another signer of the seed', (file) => void Object.assign(file, { signer_id: 'sig_2' })],
  [
    'is of a version without seals',
    (file) => {
      delete file.witness
      delete file.seal
    },
  ],
])('pays nothing with a signer.json that was changed by hand and %s', async (_what, change) => {
  const old = join(signer.directory, 'old')
  copyFileSync(journal(), old)
  await pay('o1', 0)
  copyFileSync(old, journal())
  const file = readSigner()
  change(file)
  writeFileSync(signerFile(), JSON.stringify(file))
  // This witness agrees with the old journal.
  const before = new Journal(openFileStore(journal()))
  await openFileWitness(join(signer.directory, 'forged')).write(before.position)
  before.close()
  for (const call of [['run'], ['witness', '--to', join(signer.directory, 'forged')]]) {
    expect(await signer.run(call)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is not as it was sealed'),
    })
  }
})

test('refuses a witness inside the home, or of another journal', async () => {
  rmSync(signerFile())
  const where = ['init', '--platform', signer.platform.url, '--token', signer.platform.token]
  mkdirSync(join(signer.home, 'sub'))
  for (const inside of [
    signer.home,
    join(signer.home, 'w'),
    join(signer.home, 'sub', 'x', '..', '..', 'w'),
  ]) {
    expect(await signer.run([...where, '--witness', inside])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('inside the home'),
    })
  }
  for (const unsafe of ['http://witness.example/1', 'https://user:secret@witness.example/1', 'ftp://x/1']) {
    expect(await signer.run([...where, '--witness', unsafe])).toMatchObject({ code: 1 })
  }
  rmSync(journal())
  expect(await signer.run(where)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('head of another journal'),
  })
})

test('moves the witness only after the present one has confirmed the journal', async () => {
  const old = join(signer.directory, 'old')
  copyFileSync(journal(), old)
  await pay('j1', 0)
  const to = join(signer.directory, 'vault', 'witness')
  expect(JSON.parse((await signer.run(['witness', '--to', to])).stdout)).toMatchObject({
    witness: to,
    warning: expect.stringContaining('same filesystem'),
  })
  expect(await signer.run(['witness', '--to', join(signer.home, 'w')])).toMatchObject({ code: 1 })
  rmSync(signer.witness)
  expect(await serveOnce(payoutOfNow('j2', 1))).toBe('signed')
  copyFileSync(old, journal())
  expect(await signer.run(['witness', '--to', signer.witness])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('does not confirm'),
  })
})

test.each([
  ['witness --to', async (to: string) => signer.run(['witness', '--to', to])],
  [
    'unlock --witness',
    async (to: string) => {
      const { platform } = signer
      const head = 'ab'.repeat(32)
      platform.knownJournal = { head, sequence: 1 }
      expect(await serveOnce(payoutOfNow('n0', 0))).toBe('journal_stale')
      platform.knownJournal = { head: '0'.repeat(64), sequence: 0 }
      return signer.run(['unlock', '--head', head, '--witness', to])
    },
  ],
])(
  'locks a home from before %s, although the old place of the witness is still there',
  async (_how, move) => {
    await serveOnce(payoutOfNow('n1', 0))
    const old = join(signer.directory, 'old-home')
    cpSync(signer.home, old, { recursive: true })
    expect(await move(join(signer.directory, 'vault', 'witness'))).toMatchObject({ code: 0 })
    const payout = payoutOfNow('n2', 1)
    expect(await serveOnce(payout)).toBe('signed')
    rmSync(signer.home, { recursive: true })
    cpSync(old, signer.home, { recursive: true })
    expect(await serveOnce(paidAgain(payout, 2))).toBe('journal_stale')
    expect((await status()).locked).toMatchObject({ by: 'witness', how: 'witness_unreadable' })
  },
)

test('ends a process when a copy of its home has written the witness', async () => {
  const running = signer.serve()
  await ask(payoutOfNow('k1', 0))
  const other = readFileSync(signer.witness, 'utf8').replace(/"sequence":\d+/, '"sequence":7')
  writeFileSync(signer.witness, other)
  const { answers } = signer.platform
  const count = answers.length
  signer.platform.queue.push(payoutOfNow('k2', 1))
  expect(await running.ended).toBe(1)
  expect(answers).toHaveLength(count)
  expect(running.text()).toContain('a copy of this home may be in use')
})

test('warns of a clock that is behind the journal, and refuses intents that expired before its last entry', async () => {
  const ahead = new Journal(openFileStore(journal()), () => Date.now() + 2 * 3_600_000)
  ahead.append({ type: 'restored', reason: 'the clock was two hours ahead' })
  ahead.sync()
  ahead.close()
  const running = signer.serve()
  expect(await ask(payoutOfNow('m1', 0))).toBe('INTENT_EXPIRED')
  expect(running.text()).toContain('The clock is behind the last entry')
  await kill(running)
})
