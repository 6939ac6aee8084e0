/** Tests the journal: the chain, unfinished lines after crashes, damage, and restores by operators. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decide, decideAll } from '../../signer/decide.js'
import { compareJournal } from '../../signer/journal/compare-journal.js'
import { EMPTY_HEAD } from '../../signer/journal/entry.js'
import { Journal } from '../../signer/journal/journal.js'
import { openFileStore, openMemoryStore } from '../../signer/journal/journal-store.js'
import { btcRequest, ethRequest, makeState, NOW, usdtRequest } from './fixture.js'

function writtenJournal(): Buffer {
  const store = openMemoryStore()
  const state = makeState({ store })
  decideAll([ethRequest(), usdtRequest(), btcRequest()], state)
  state.journal.sync()
  return store.read()
}

const reopen = (bytes: Buffer) => new Journal(openMemoryStore(Buffer.from(bytes)), () => NOW)

function opens(bytes: Buffer): boolean {
  try {
    reopen(bytes)
    return true
  } catch {
    return false
  }
}

test('reads back what it wrote, with the same head', () => {
  const store = openMemoryStore()
  const state = makeState({ store })
  decide(ethRequest(), state)
  const again = reopen(store.read())
  expect(again.position).toEqual(state.journal.position)
  expect(again.tornBytes).toBe(0)
})

test('opens a journal that was cut anywhere with its whole lines, and signs the same bytes again', () => {
  const bytes = writtenJournal()
  const first = decide(btcRequest(), makeState({ store: openMemoryStore(Buffer.from(bytes)) }))
  fc.assert(
    fc.property(fc.integer({ min: 0, max: bytes.length }), (length) => {
      const cut = Buffer.from(bytes.subarray(0, length))
      const store = openMemoryStore(cut)
      const state = makeState({ store })
      const whole = cut.toString('utf8').split('\n').length - 1
      expect(state.journal.position.sequence).toBe(whole)
      expect(decide(btcRequest(), state)).toEqual(first)
      expect(reopen(store.read()).position).toEqual(state.journal.position)
    }),
    { numRuns: 60 },
  )
})

test('refuses a journal with a changed byte in any line but the last, and never drops the last for it', () => {
  const bytes = writtenJournal()
  const lines = reopen(bytes).position.sequence
  const lastLine = bytes.lastIndexOf(0x0a, bytes.length - 2)
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: bytes.length - 2 }),
      fc.integer({ min: 1, max: 255 }),
      (at, change) => {
        const changed = Buffer.from(bytes)
        changed[at] = (changed[at] ?? 0) ^ change
        // No later line holds the hash of the last one. Only the witness does.
        if (at > lastLine && opens(changed)) expect(reopen(changed).position.sequence).toBe(lines)
        else expect(() => reopen(changed)).toThrow('damaged')
      },
    ),
    { numRuns: 200 },
  )
})

test('cuts off zeros that a power cut left at the end', () => {
  const bytes = writtenJournal()
  const journal = reopen(Buffer.concat([bytes, Buffer.alloc(512)]))
  expect(journal.tornBytes).toBe(512)
  expect(journal.position).toEqual(reopen(bytes).position)
})

test('keeps the journal in a file with mode 600', () => {
  const directory = mkdtempSync(join(tmpdir(), 'keyturn-journal-'))
  try {
    const path = join(directory, 'journal.jsonl')
    const state = makeState({ store: openFileStore(path) })
    decide(ethRequest(), state)
    state.journal.close()
    writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.from('{"sequence":3,"prev')]))
    const again = makeState({ store: openFileStore(path) })
    expect(again.journal.tornBytes).toBe(19)
    expect(decide(ethRequest(), again)).toMatchObject({ outcome: 'signed' })
    again.journal.close()
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('knows every position of its own chain, and no other', () => {
  const journal = reopen(writtenJournal())
  const { head, sequence } = journal.position
  expect(compareJournal({ head: EMPTY_HEAD, sequence: 0 }, journal)).toBe('agrees')
  expect(compareJournal({ head, sequence }, journal)).toBe('agrees')
  expect(compareJournal({ head: 'ab'.repeat(32), sequence: 2 }, journal)).toBe('differs')
  expect(compareJournal({ head: 'ab'.repeat(32), sequence: sequence + 1 }, journal)).toBe('behind')
})

test('accepts a loss, continues beyond it, and refuses older intents after an unlock', () => {
  const bytes = writtenJournal()
  const lost = reopen(bytes).position
  const firstLine = bytes.subarray(0, bytes.indexOf(0x0a) + 1)
  const store = openMemoryStore(Buffer.from(firstLine))
  const state = makeState({ store })
  expect(compareJournal(lost, state.journal)).toBe('behind')
  state.journal.append({ type: 'unlocked', known_head: lost.head, known_sequence: lost.sequence })
  state.journal.sync()
  expect(compareJournal(lost, state.journal)).toBe('agrees')
  expect(state.journal.position.sequence).toBe(lost.sequence + 1)
  expect(decide(ethRequest(), state)).toMatchObject({ outcome: 'signed' })
  expect(decide(btcRequest(), state)).toMatchObject({ outcome: 'refused', code: 'JOURNAL_STALE' })
  const again = reopen(store.read())
  expect(compareJournal(lost, again)).toBe('agrees')
  expect(again.fence).toBe(NOW)
})

test('refuses everything while locked, because an old backup would sign a second payload', () => {
  const empty = makeState()
  expect(decide(ethRequest({ payload: { nonce: 9 } }), empty)).toMatchObject({ outcome: 'signed' })
  const locked = makeState({ locked: true })
  expect(decide(ethRequest({ payload: { nonce: 9 } }), locked)).toMatchObject({ code: 'JOURNAL_STALE' })
})
