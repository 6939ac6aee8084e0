/**
 * Tests the exchange with a platform that loses replies, forges signatures, goes away, or knows another
 * journal.
 */

import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { exchange } from '../../signer/exchange/exchange.js'
import { connectPlatform, PlatformUnavailable } from '../../signer/exchange/platform-connection.js'
import { JournalFailure } from '../../signer/journal/journal-failure.js'
import { openMemoryStore } from '../../signer/journal/journal-store.js'
import { ed25519PublicKey, type Identity, openIdentity } from '../../signer/keys/identity.js'
import type { SignerState } from '../../signer/state.js'
import { btcRequest, ethRequest, makeState, usdtRequest } from './fixture.js'
import { type PlatformDouble, startPlatform } from './platform-double.js'

let platform: PlatformDouble
let identity: Identity
let stop: AbortController
let running: Promise<void> | null
let lockedAs: string[]

beforeEach(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true)
  platform = await startPlatform()
  identity = openIdentity(randomBytes(32))
  stop = new AbortController()
  lockedAs = []
  const connection = connect()
  // The double checks request signatures against the identity that enrolled.
  const xpubs: never[] = []
  const { status } = await connection.post(
    '/signer/v1/enrol',
    { identity_public_key: identity.publicKey, xpubs },
    { timeoutMs: 5_000 },
  )
  expect(status).toBe(201)
})

afterEach(async () => {
  stop.abort()
  await running
  running = null
  await platform.close()
  vi.restoreAllMocks()
})

function connect() {
  return connectPlatform({
    url: platform.url,
    platformKey: ed25519PublicKey(platform.publicKey),
    identity,
    signerId: 'sig_1',
  })
}

function serve(state: SignerState): void {
  running = exchange({
    connection: connect(),
    state: () => ({ ...state, locked: () => state.locked() || lockedAs.length > 0 }),
    signal: stop.signal,
    waitSeconds: 0,
    events: { heard: () => {}, lock: (how) => lockedAs.push(how) },
  })
}

async function halt(): Promise<void> {
  stop.abort()
  await running
  platform.disconnect()
}

const answersTo = (id: string) => platform.answers.filter((answer) => answer.request_id === id)

test('signs what it claims and says where its journal stands', async () => {
  const state = makeState()
  platform.queue.push(ethRequest(), usdtRequest(), btcRequest())
  serve(state)
  await platform.waitFor(() => platform.answers.length === 3)
  expect(platform.answers.map((answer) => answer.outcome)).toEqual(['signed', 'signed', 'signed'])
  // The batch has one sync: the three decisions are durable, and no answer claims more.
  expect(new Set(platform.answers.map((answer) => answer.journal_sequence))).toEqual(new Set([3]))
  expect(state.journal.knows({ head: platform.answers[0]!.journal_head, sequence: 3 })).toBe(true)
})

test('stops between two portions of a long claim, and leaves the rest for later', async () => {
  const state = makeState()
  platform.queue.push(...Array.from({ length: 64 }, (_, index) => ({ ...ethRequest(), id: `srq_${index}` })))
  // SIGTERM comes while the first portion is decided.
  const witness = { ...state.witness, write: async () => stop.abort() }
  serve({ ...state, witness })
  await running
  expect(platform.answers).toHaveLength(32)
  expect(platform.answers.every((answer) => answer.outcome === 'signed')).toBe(true)
})

test('gives the same bytes again when the reply to an answer was lost', async () => {
  serve(makeState())
  await platform.waitFor(() => platform.claims.length > 0)
  platform.queue.push(btcRequest())
  await platform.waitFor(() => answersTo('srq_btc').length === 1)
  platform.queue.push(btcRequest())
  await platform.waitFor(() => answersTo('srq_btc').length === 2)
  const [first, second] = answersTo('srq_btc')
  expect(first).toMatchObject({ outcome: 'signed' })
  expect({ ...second, journal_head: '', journal_sequence: 0 }).toEqual({
    ...first,
    journal_head: '',
    journal_sequence: 0,
  })
})

test('delivers an answer again when the connection breaks', async () => {
  platform.queue.push(ethRequest())
  // The claim succeeds, and the first two deliveries fail.
  platform.misbehave.push(undefined as never, 'lost reply', 'server error')
  serve(makeState())
  await platform.waitFor(() => answersTo('srq_eth').length === 3)
  expect(new Set(answersTo('srq_eth').map((answer) => JSON.stringify(answer))).size).toBe(1)
})

test('continues when the platform comes back', async () => {
  platform.misbehave.push('lost reply', 'server error', 'lost reply')
  serve(makeState())
  await platform.waitFor(() => platform.claims.length >= 4)
  platform.queue.push(ethRequest())
  await platform.waitFor(() => answersTo('srq_eth').length === 1)
})

test.each(['forged signature', 'no signature'] as const)('signs nothing on a claim with %s', async (how) => {
  const state = makeState()
  platform.queue.push(ethRequest())
  platform.misbehave.push(how)
  serve(state)
  await platform.waitFor(() => platform.claims.length >= 2)
  expect(state.journal.position.sequence).toBe(0)
  expect(platform.answers).toEqual([])
})

test('refuses an answer of the platform that was signed for another call', async () => {
  const connection = connectPlatform({
    url: platform.url,
    platformKey: ed25519PublicKey(Buffer.alloc(32, 9).toString('base64')),
    identity,
  })
  await expect(connection.post('/signer/v1/claim', {}, { timeoutMs: 1_000 })).rejects.toThrow(
    PlatformUnavailable,
  )
})

test('locks itself when the platform saw entries that a restored journal does not hold', async () => {
  const store = openMemoryStore()
  const before = makeState({ store })
  platform.queue.push(ethRequest())
  serve(before)
  await platform.waitFor(() => platform.answers.length === 1)
  await halt()

  // The platform knows the decision. The disk was restored from an earlier time.
  platform.knownJournal = { head: platform.answers[0]!.journal_head, sequence: 1 }
  stop = new AbortController()
  const restored = makeState()
  platform.queue.push(ethRequest({ payload: { nonce: 9 } }))
  serve(restored)
  await platform.waitFor(() => platform.claims.some((claim) => claim.stopped === 'journal_stale'))
  expect(lockedAs).toContain('behind')
  expect(platform.answers).toHaveLength(1)
  expect(restored.journal.position.sequence).toBe(0)
})

test('locks itself when its journal has another entry at the place that the platform knows', async () => {
  const state = makeState()
  platform.queue.push(ethRequest())
  serve(state)
  await platform.waitFor(() => platform.answers.length === 1)
  platform.knownJournal = { head: 'ab'.repeat(32), sequence: 1 }
  platform.queue.push(usdtRequest())
  await platform.waitFor(() => platform.claims.some((claim) => claim.stopped === 'journal_stale'))
  expect(lockedAs).toContain('differs')
  expect(platform.answers).toHaveLength(1)
})

test('ignores an answer that claims to know an impossibly long journal: signs nothing and locks nothing', async () => {
  const state = makeState()
  platform.knownJournal = { head: 'ab'.repeat(32), sequence: Number.MAX_SAFE_INTEGER - 1 }
  platform.queue.push(ethRequest())
  serve(state)
  await platform.waitFor(() => platform.claims.length >= 2)
  expect(lockedAs).toEqual([])
  expect(state.journal.position.sequence).toBe(0)
  expect(platform.answers).toEqual([])
  platform.knownJournal = { head: '0'.repeat(64), sequence: 0 }
  platform.queue.push(ethRequest())
  await platform.waitFor(() => platform.answers.length === 1)
})

test.each([
  ['paused', (state: SignerState): SignerState => ({ ...state, paused: () => true })],
  ['journal_stale', (state: SignerState): SignerState => ({ ...state, locked: () => true })],
  ['policy_unreadable', (state: SignerState): SignerState => ({ ...state, policy: null })],
] as const)(
  'claims nothing while it is stopped (%s), reports that, and signs afterwards with the same approvals',
  async (why, stopped) => {
    const state = makeState()
    let over = false
    running = exchange({
      connection: connect(),
      state: () => (over ? state : stopped(state)),
      signal: stop.signal,
      waitSeconds: 0,
      events: { heard: () => {}, lock: () => {} },
    })
    platform.queue.push(ethRequest())
    await platform.waitFor(() => platform.claims.length >= 3)
    expect(platform.claims.map((claim) => claim.stopped)).toContain(why)
    expect(platform.queue).toHaveLength(1)
    expect(platform.answers).toEqual([])
    over = true
    await platform.waitFor(() => platform.answers.length === 1)
    expect(platform.answers[0]).toMatchObject({ request_id: 'srq_eth', outcome: 'signed' })
    expect(platform.claims.at(-1)).not.toHaveProperty('stopped')
  },
)

test.each([
  ['the kill switch', (state: SignerState): SignerState => ({ ...state, paused: () => true })],
  ['a lock', (state: SignerState): SignerState => ({ ...state, locked: () => true })],
  ['a half-saved policy', (state: SignerState): SignerState => ({ ...state, policy: null })],
] as const)(
  'leaves requests unanswered when %s comes while their claim waits, so that they are handed out again',
  async (_why, stopped) => {
    const state = makeState()
    let over = false
    running = exchange({
      connection: connect(),
      // The signer works when it claims, and is stopped when the answer comes.
      state: () => (over || platform.claims.length === 0 ? state : stopped(state)),
      signal: stop.signal,
      waitSeconds: 0,
      events: { heard: () => {}, lock: () => {} },
    })
    platform.queue.push(ethRequest())
    await platform.waitFor(() => platform.claims.length >= 3)
    expect(platform.queue).toHaveLength(0)
    expect(platform.answers).toEqual([])
    expect(state.journal.position.sequence).toBe(0)
    over = true
    platform.queue.push(ethRequest())
    await platform.waitFor(() => platform.answers.length === 1)
    expect(platform.answers[0]).toMatchObject({ outcome: 'signed' })
  },
)

test('gives no refusal for a payload that it may have signed before', async () => {
  const state = makeState()
  platform.queue.push(ethRequest())
  serve(state)
  await platform.waitFor(() => platform.answers.length === 1)
  await halt()
  stop = new AbortController()
  platform.queue.push(ethRequest(), usdtRequest())
  // The policy was tightened meanwhile. A new request is refused; a decided one gets no answer.
  const nothing = { ...state.policy!, networks: new Map() }
  serve({ ...state, policy: nothing })
  await platform.waitFor(() => answersTo('srq_usdt').length === 1)
  expect(answersTo('srq_usdt')[0]).toMatchObject({ outcome: 'refused' })
  const claims = platform.claims.length
  await platform.waitFor(() => platform.claims.length > claims)
  expect(answersTo('srq_eth')).toHaveLength(1)
})

test('ends when the journal cannot be written, instead of signing without one', async () => {
  const memory = openMemoryStore()
  const broken = {
    ...memory,
    sync: () => {
      throw new Error('disk')
    },
  }
  platform.queue.push(ethRequest())
  serve(makeState({ store: broken }))
  await expect(running).rejects.toThrow('disk')
  running = null
  expect(platform.answers).toEqual([])
})

test('sends no answer before the witness has the position on which it rests', async () => {
  const order: string[] = []
  const state = makeState({
    witness: {
      place: 'test',
      read: async () => null,
      async write({ sequence }) {
        await new Promise((resolve) => setTimeout(resolve, 200))
        order.push(`witnessed ${sequence} before ${platform.answers.length} answers`)
      },
    },
  })
  platform.queue.push(ethRequest(), usdtRequest())
  serve(state)
  await platform.waitFor(() => platform.answers.length === 2)
  expect(order).toEqual(['witnessed 2 before 0 answers'])
})

test('ends without an answer when the witness cannot keep it', async () => {
  const state = makeState({
    witness: {
      place: 'test',
      read: async () => null,
      write: async () => {
        throw new JournalFailure('The witness is gone')
      },
    },
  })
  platform.queue.push(ethRequest())
  serve(state)
  await expect(running).rejects.toThrow('The witness is gone')
  running = null
  expect(platform.answers).toEqual([])
})

test('stops when its signal is aborted', async () => {
  serve(makeState())
  await platform.waitFor(() => platform.claims.length > 0)
  stop.abort()
  await running
})
