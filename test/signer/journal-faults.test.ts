/** Tests the journal with false sequences, invalid lines, failing disks, and a clock that was set back. */

import { expect, test } from 'vitest'
import { decide, decideAll } from '../../signer/decide.js'
import { compareJournal } from '../../signer/journal/compare-journal.js'
import { EMPTY_HEAD, entryHash, MAX_JUMP } from '../../signer/journal/entry.js'
import { Journal } from '../../signer/journal/journal.js'
import { type JournalStore, openMemoryStore } from '../../signer/journal/journal-store.js'
import { parseRequest } from '../../signer/parse-request.js'
import {
  alice,
  approve,
  bob,
  btcRequest,
  ethRequest,
  HOUR,
  iso,
  MINUTE,
  makeState,
  NOW,
  usdtRequest,
} from './fixture.js'

const open = (bytes: Buffer, now = NOW) => new Journal(openMemoryStore(Buffer.from(bytes)), () => now)

test('refuses to write an unlock whose sequence could not be read again: the fence stays, and nothing is paid twice', () => {
  const store = openMemoryStore()
  const state = makeState({ store })
  for (const known_sequence of [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - 1, MAX_JUMP + 1]) {
    expect(() =>
      state.journal.append({ type: 'unlocked', known_head: 'ab'.repeat(32), known_sequence }),
    ).toThrow('too far')
  }
  state.journal.append({ type: 'unlocked', known_head: 'ab'.repeat(32), known_sequence: MAX_JUMP })
  state.journal.sync()
  expect(decide(ethRequest(), state)).toMatchObject({ code: 'JOURNAL_STALE' })
  const again = makeState({ store: openMemoryStore(Buffer.from(store.read())) })
  expect(again.journal.fence).toBe(NOW)
  expect(decide(ethRequest(), again)).toMatchObject({ code: 'JOURNAL_STALE' })
})

test('refuses a journal with a jump that is too far, or that differs from its unlock', () => {
  for (const [sequence, known_sequence] of [
    [MAX_JUMP + 2, MAX_JUMP + 1],
    [500, 7],
  ]) {
    const line = {
      sequence,
      previous: EMPTY_HEAD,
      at: iso(),
      type: 'unlocked',
      known_head: 'ab'.repeat(32),
      known_sequence,
    }
    expect(() => open(Buffer.from(`${JSON.stringify(line)}\n`))).toThrow('damaged at line 1')
  }
})

test('refuses a journal with an unreadable whole last line, and does not cut the line off', () => {
  const store = openMemoryStore()
  const state = makeState({ store })
  decide(ethRequest(), state)
  state.journal.sync()
  const lines = store.read().toString('utf8').trimEnd().split('\n')
  const false_ = lines.map((line, at) => (at === 1 ? line.replace('"signed"', '"sgined"') : line))
  expect(() => open(Buffer.from(`${false_.join('\n')}\n`))).toThrow('damaged at line 2')
  expect(() => open(Buffer.from(`${lines[0]?.replace('"decided"', '"bygone"')}\n`))).toThrow(
    'damaged at line 1',
  )
  expect(() => open(Buffer.concat([store.read(), Buffer.from('\n')]))).toThrow('damaged at line 3')
  // The signer never acted on a line without a newline, however complete its content is.
  expect(open(Buffer.from(`${lines[0]}\n${lines[1]}`)).position.sequence).toBe(1)
})

test('refuses a journal with a time that is no date, which would move the fence or the clock', () => {
  for (const at of ['2026-13-01T00:00:00.000Z', '2026-02-31T00:00:00.000Z', 'yesterday']) {
    const line = { sequence: 1, previous: EMPTY_HEAD, at, type: 'restored', reason: 'x' }
    expect(() => open(Buffer.from(`${JSON.stringify(line)}\n`))).toThrow('damaged at line 1')
  }
})

/** Makes a store that fails in one of its calls once a test sets it. */
function failing(call: 'append' | 'sync' | 'half append'): JournalStore & { fail: boolean } {
  const memory = openMemoryStore()
  const store = {
    ...memory,
    fail: false,
    append(bytes: Buffer) {
      if (store.fail && call === 'half append') memory.append(bytes.subarray(0, bytes.length / 2))
      if (store.fail && call !== 'sync') throw new Error('ENOSPC: no space left on device')
      memory.append(bytes)
    },
    sync() {
      if (store.fail && call === 'sync') throw new Error('EIO: i/o error, fsync')
    },
  }
  return store
}

test.each(['append', 'half append', 'sync'] as const)(
  'decides, signs and writes nothing after an error in %s, even when the disk works again',
  (call) => {
    const store = failing(call)
    const state = makeState({ store })
    decide(ethRequest(), state)
    store.fail = true
    expect(() => decide(btcRequest(), state)).toThrow(/ENOSPC|EIO/)
    store.fail = false
    const length = store.read().length
    expect(() => decide(usdtRequest(), state)).toThrow('cannot be used any more')
    expect(() => decide(ethRequest(), state)).toThrow('cannot be used any more')
    expect(() => state.journal.sync()).toThrow('cannot be used any more')
    expect(store.read().length).toBe(length)
    // The next start cuts an unfinished last line, and nothing else.
    const again = makeState({ store: openMemoryStore(Buffer.from(store.read())) })
    expect(again.journal.position.sequence).toBe(call === 'sync' ? 3 : 2)
    expect(again.journal.tornBytes > 0).toBe(call === 'half append')
    expect(decide(ethRequest(), again)).toMatchObject({ outcome: 'signed' })
  },
)

test('signs no later request behind a torn line when the disk is full while signed bytes are written', () => {
  const memory = openMemoryStore()
  let appended = 0
  const store: JournalStore = {
    ...memory,
    append(bytes) {
      appended++
      // Three decisions are written. The first line of signed bytes does not fit.
      if (appended === 4) {
        memory.append(bytes.subarray(0, 100))
        throw new Error('ENOSPC: no space left on device')
      }
      memory.append(bytes)
    },
  }
  const state = makeState({ store })
  expect(() => decideAll([ethRequest(), usdtRequest(), btcRequest()], state)).toThrow('ENOSPC')
  const again = makeState({ store: openMemoryStore(Buffer.from(memory.read())) })
  expect(again.journal.position.sequence).toBe(3)
  expect(again.journal.tornBytes).toBe(100)
})

test('refuses an expired intent although the clock was set back behind the journal’s last entry', () => {
  let clock = NOW + 30 * HOUR
  const store = openMemoryStore()
  const late = makeState({ store, now: () => clock })
  late.journal.append({ type: 'restored', reason: 'x' })
  clock = NOW
  const recent = { created_at: iso(30 * HOUR + MINUTE), expires_at: iso(29 * HOUR) }
  const hash = ethRequest({ intent: recent })
  const request = {
    ...hash,
    approvals: [alice, bob].map((each) => approve(hash.intent_hash, each, { signedAt: iso(30 * HOUR) })),
  }
  // A journal without a later entry would sign it, because only the clock says that it is fresh.
  expect(decide(request, makeState({ now: () => NOW + 28 * HOUR }))).not.toMatchObject({
    code: 'INTENT_EXPIRED',
  })
  expect(decide(request, late)).toMatchObject({ code: 'INTENT_EXPIRED' })
  // The times in the journal never go back either.
  late.journal.append({ type: 'restored', reason: 'y' })
  expect(late.journal.fence).toBe(NOW + 30 * HOUR)
  const reopened = makeState({ store: openMemoryStore(Buffer.from(store.read())), now: () => clock })
  expect(decide(request, reopened)).toMatchObject({ code: 'INTENT_EXPIRED' })
})

test.each([
  '2026-13-01T00:00:00.000Z',
  '2026-02-31T00:00:00Z',
  '2026-06-01T24:00:00Z',
  '2026-06-01T10:60:00Z',
])('refuses a time that is no date (%s) as malformed', (time) => {
  const honest = ethRequest()
  const [first, second] = honest.approvals
  const signedAt = {
    ...honest,
    approvals: [approve(honest.intent_hash, alice, { signedAt: time }), second],
  }
  expect(decide(signedAt, makeState())).toMatchObject({ code: 'MALFORMED' })
  for (const field of ['created_at', 'expires_at'] as const) {
    expect(decide(ethRequest({ intent: { [field]: time } }), makeState())).toMatchObject({
      code: 'MALFORMED',
    })
  }
  expect(parseRequest({ ...honest, approvals: [first] })).toHaveProperty('request')
})

test('reports the journal as behind, and never as agreeing, when the platform claims an impossible place', () => {
  expect(
    compareJournal({ head: entryHash('x'), sequence: Number.MAX_SAFE_INTEGER }, makeState().journal),
  ).toBe('behind')
})

test('leaves an intent from the near future unanswered, so that it is older than every later fence', () => {
  let now = NOW
  const { intent_hash: hash, ...soon } = ethRequest({ intent: { created_at: iso(MINUTE) } })
  const approvals = [alice, bob].map((each) => approve(hash, each, { signedAt: iso(MINUTE) }))
  const request = { ...soon, intent_hash: hash, approvals }
  const state = makeState({ now: () => now })
  // The request gets no answer, and is handed out again.
  expect(decide(request, state)).toMatchObject({ code: 'INTENT_NOT_YET_VALID', passing: true })
  expect(state.journal.position.sequence).toBe(0)
  const later = ethRequest({ intent: { created_at: iso(MINUTE + 1) } })
  expect(decide(later, state)).not.toHaveProperty('passing')
  now += MINUTE
  expect(decide(request, state)).toMatchObject({ outcome: 'signed' })
  const old = makeState({ now: () => now })
  old.journal.append({ type: 'restored', reason: 'the payout above is lost' })
  const again = { ...request, payload: { ...request.payload, nonce: 6 } }
  expect(decide(again, old)).toMatchObject({ code: 'JOURNAL_STALE' })
})
