/** Runs: requests of one account that are decided in order, up to the first one that is not signed. */

import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Intent } from '../../domain/controls/intent.js'
import type { EvmPayload, SigningRequest } from '../../domain/signing/signer-protocol.js'
import { decideAll, decideWitnessed } from '../../signer/decide.js'
import { evmAddress } from '../../signer/evm/evm-address.js'
import { exchange } from '../../signer/exchange/exchange.js'
import { connectPlatform } from '../../signer/exchange/platform-connection.js'
import { openMemoryStore } from '../../signer/journal/journal-store.js'
import { ed25519PublicKey, openIdentity } from '../../signer/keys/identity.js'
import { parsePath } from '../../signer/keys/path.js'
import { Runs } from '../../signer/runs.js'
import type { SignerState } from '../../signer/state.js'
import {
  btcRequest,
  ethRequest,
  iso,
  keyring,
  MINUTE,
  makeState,
  NOW,
  PAYING_ADDRESS,
  RECIPIENT,
} from './fixture.js'
import { type PlatformDouble, startPlatform } from './platform-double.js'

/** A price above what the policy allows. */
const TOO_MUCH = { max_fee_per_gas: '999000000000' }
const OTHER_PATH = "m/44'/60'/2'/0/0"
const OTHER_ACCOUNT = {
  derivation_path: OTHER_PATH,
  from: evmAddress(keyring.at(parsePath(OTHER_PATH) ?? []).publicKey),
}

/** Makes the request of a run with this nonce, for a payout of its own. */
function member(
  nonce: number,
  change: {
    readonly run?: string
    readonly id?: string
    readonly intent?: Partial<Intent>
    readonly payload?: Partial<EvmPayload>
  } = {},
): SigningRequest {
  const { run = 'run_1', id = `${nonce}`, intent, payload } = change
  const request = ethRequest({
    intent: { withdrawal: `withdrawal_${id}`, outputs: [{ address: RECIPIENT, amount: '1000' }], ...intent },
    payload: { nonce, value: '1000', ...payload },
  })
  return { ...request, id: `srq_${id}`, run }
}

/** Shows decisions in short: the code of a refusal, with a mark when the platform gets no answer. */
const shown = (decisions: ReturnType<typeof decideAll>) =>
  decisions.map((decision) =>
    decision.outcome === 'refused'
      ? `${decision.decidedBefore || decision.passing ? 'silent ' : ''}${decision.code}`
      : decision.outcome,
  )
const decided = (...requests: SigningRequest[]) => {
  const state = makeState()
  return { state, outcomes: shown(decideAll(requests, state)) }
}

describe('what is decided', () => {
  test('signs a run whole, with one sync for all', () => {
    let syncs = 0
    const memory = openMemoryStore()
    const state = makeState({
      store: {
        ...memory,
        sync: () => {
          syncs++
          memory.sync()
        },
      },
    })
    expect(shown(decideAll([member(5), member(6), member(7)], state))).toEqual(['signed', 'signed', 'signed'])
    expect(syncs).toBe(1)
  })

  test('gives back undecided what comes behind a refusal, and nothing of it is in the journal', () => {
    const { state, outcomes } = decided(member(5), member(6, { payload: TOO_MUCH }), member(7), member(8))
    expect(outcomes).toEqual(['signed', 'FEE_TOO_HIGH', 'undecided', 'undecided'])
    expect(state.journal.records.highestNonce(31_337, PAYING_ADDRESS.toLowerCase())).toBe(5)
    // The payouts behind it get the nonces from the refused one on.
    expect(shown(decideAll([member(6, { id: '7' }), member(7, { id: '8' })], state))).toEqual([
      'signed',
      'signed',
    ])
  })

  test('decides on other runs, and on requests outside of runs, although one has ended', () => {
    const { outcomes } = decided(
      member(5, { payload: TOO_MUCH }),
      btcRequest(),
      member(6),
      { ...member(7, { id: 'alone' }), run: undefined } as never,
      member(8, { id: 'other', run: 'run_2' }),
    )
    expect(outcomes).toEqual(['FEE_TOO_HIGH', 'signed', 'undecided', 'signed', 'signed'])
  })

  test('decides on requests without a run as before: a refusal stops none of them', () => {
    const alone = (request: SigningRequest) => ({ ...request, run: undefined }) as never
    const { outcomes } = decided(alone(member(5, { payload: TOO_MUCH })), alone(member(6)), alone(member(7)))
    expect(outcomes).toEqual(['FEE_TOO_HIGH', 'signed', 'signed'])
  })

  test.each([
    ['repeats a nonce', [member(5), member(5, { id: 'twin' }), member(6)]],
    ['descends', [member(6), member(5), member(7)]],
    ['changes the account', [member(5), member(6, { payload: OTHER_ACCOUNT }), member(7)]],
  ] as const)('ends a run that %s, and gives back the rest', (_what, requests) => {
    expect(decided(...requests).outcomes).toEqual(['signed', 'undecided', 'undecided'])
  })

  test('lets a run skip nonces: what lies between may be signed already', () => {
    expect(decided(member(5), member(9)).outcomes).toEqual(['signed', 'signed'])
  })

  test('refuses a nonce of a run that is too far ahead, and gives back the rest', () => {
    expect(decided(member(5), member(500), member(501)).outcomes).toEqual([
      'signed',
      'NONCE_CONFLICT',
      'undecided',
    ])
  })

  test('ends a run at a request that it cannot read', () => {
    const broken = { ...member(6), intent: null } as never
    expect(decided(member(5), broken, member(7)).outcomes).toEqual(['signed', 'MALFORMED', 'undecided'])
  })

  test('leaves a payout that is not valid yet without an answer, and gives back the rest', () => {
    const early = member(5, { intent: { created_at: iso(MINUTE / 2) } })
    expect(decided(early, member(6)).outcomes).toEqual(['silent INTENT_NOT_YET_VALID', 'undecided'])
  })

  test('leaves a whole run without an answer while it is stopped', () => {
    const state = { ...makeState(), paused: () => true }
    expect(shown(decideAll([member(5), member(6)], state))).toEqual(['silent PAUSED', 'silent PAUSED'])
  })
})

describe('a signer that is killed', () => {
  const requests = [member(5), member(6), member(7), member(8)]
  const all = decideAll(requests, makeState())

  /** Opens the journal as a crash leaves it, with so many of its lines. */
  function restarted(lines: number, change: Parameters<typeof makeState>[0] = {}): SignerState {
    const store = openMemoryStore()
    decideAll(requests, makeState({ store }))
    const text = store.read().toString('utf8').split('\n').slice(0, lines).join('\n')
    return makeState({ ...change, store: openMemoryStore(Buffer.from(lines > 0 ? `${text}\n` : '')) })
  }

  test.each([0, 1, 2, 3, 4, 5, 6, 7, 8])('gives the same bytes for the whole run after %i lines', (lines) => {
    expect(decideAll(requests, restarted(lines))).toEqual(all)
  })

  test('answers what it decided before the crash although the run now ends before it', () => {
    // Two of four decisions were written. The policy allows less since, and the approvals are too old.
    const state = restarted(2, { now: () => NOW + 48 * 3_600_000 })
    const outcomes = shown(decideAll([member(4, { id: 'first' }), ...requests], state))
    expect(outcomes).toEqual(['INTENT_EXPIRED', 'signed', 'signed', 'undecided', 'undecided'])
  })

  test('keeps those above a request that it cannot sign, and gives them when they are claimed again', () => {
    const state = makeState()
    let broken = true
    const keyring = {
      ...state.keyring,
      at(path: readonly number[]) {
        const key = state.keyring.at(path)
        if (!broken || state.journal.durable.sequence === 0) return key
        throw new Error('the key is gone')
      },
    }
    const failing = { ...state, keyring }
    expect(shown(decideAll([member(5), member(6)], failing))).toEqual([
      'silent MALFORMED',
      'silent MALFORMED',
    ])
    broken = false
    expect(shown(decideAll([member(5), member(6)], failing))).toEqual(['signed', 'signed'])
  })

  test('keeps the end of a run over the portions of one claim', async () => {
    const state = makeState()
    const runs = new Runs()
    const first = await decideWitnessed([member(5), member(6, { payload: TOO_MUCH })], state, runs)
    expect(shown(first)).toEqual(['signed', 'FEE_TOO_HIGH'])
    expect(shown(await decideWitnessed([member(7)], state, runs))).toEqual(['undecided'])
  })
})

describe('the exchange', () => {
  let platform: PlatformDouble
  let stop: AbortController
  let running: Promise<void> | null = null

  beforeEach(async () => {
    vi.spyOn(process.stdout, 'write').mockReturnValue(true)
    platform = await startPlatform()
    stop = new AbortController()
  })
  afterEach(async () => {
    stop.abort()
    await running
    running = null
    await platform.close()
    vi.restoreAllMocks()
  })

  async function serve(state = makeState()): Promise<void> {
    const identity = openIdentity(randomBytes(32))
    const connection = connectPlatform({
      url: platform.url,
      platformKey: ed25519PublicKey(platform.publicKey),
      identity,
      signerId: 'sig_1',
    })
    const body = { identity_public_key: identity.publicKey, xpubs: [] }
    await connection.post('/signer/v1/enrol', body, { timeoutMs: 5_000 })
    running = exchange({
      connection,
      state: () => state,
      signal: stop.signal,
      waitSeconds: 0,
      events: { heard: () => {}, lock: () => {} },
    })
  }
  const outcomes = () => platform.answers.map((answer) => [answer.request_id, answer.outcome])

  test('asks a platform for runs that offers them, and posts the answers of a run together', async () => {
    platform.runs = true
    await serve()
    await platform.waitFor(() => platform.claims.length >= 2)
    expect(platform.claims.slice(0, 2).map(({ runs }) => runs)).toEqual([undefined, true])
    platform.queue.push(member(5), btcRequest(), member(6, { payload: TOO_MUCH }), member(7))
    await platform.waitFor(() => platform.givenBack.length === 1)
    expect(outcomes()).toEqual([
      ['srq_5', 'signed'],
      ['srq_6', 'refused'],
      ['srq_btc', 'signed'],
    ])
    expect(platform.givenBack).toEqual([{ request_id: 'srq_7', outcome: 'undecided', run: 'run_1' }])
    expect(platform.posts).toBe(1)
  })

  test('posts the answers of a run together although it is decided in several portions', async () => {
    platform.runs = true
    await serve()
    await platform.waitFor(() => platform.claims.length >= 2)
    const external_id = 'x'.repeat(255)
    platform.queue.push(
      ...Array.from({ length: 40 }, (_, index) => member(5 + index, { intent: { external_id } })),
    )
    await platform.waitFor(() => platform.answers.length === 40)
    expect(new Set(platform.answers.map((answer) => answer.journal_sequence)).size).toBe(1)
  })

  test('claims without runs from a platform that does not offer them, or does so no more', async () => {
    platform.queue.push(member(5))
    await serve()
    await platform.waitFor(() => platform.answers.length === 1)
    expect(platform.claims.every(({ runs }) => runs === undefined)).toBe(true)
    platform.runs = true
    await platform.waitFor(() => platform.claims.at(-1)?.runs === true)
    platform.runs = false
    platform.queue.push(btcRequest())
    await platform.waitFor(() => platform.answers.length === 2)
  })

  test('posts each answer alone when the platform takes them no longer together', async () => {
    platform.runs = true
    await serve()
    await platform.waitFor(() => platform.claims.length >= 2)
    platform.takeOver = ({ path }) => {
      if (path === '/signer/v1/claim' && platform.claims.length > 2) platform.runs = false
      return false
    }
    platform.queue.push(member(5), member(6, { payload: TOO_MUCH }), member(7))
    await platform.waitFor(() => platform.answers.length === 2)
    expect(outcomes().sort()).toEqual([
      ['srq_5', 'signed'],
      ['srq_6', 'refused'],
    ])
    expect(platform.givenBack).toEqual([])
  })

  test('delivers the answers of a run again when the reply is lost', async () => {
    platform.runs = true
    await serve()
    await platform.waitFor(() => platform.claims.length >= 2)
    platform.queue.push(member(5), member(6, { payload: TOO_MUCH }), member(7))
    let lost = 0
    platform.takeOver = ({ path, response }) => {
      if (path !== '/signer/v1/answers' || lost++ > 0) return false
      response.destroy()
      return true
    }
    await platform.waitFor(() => platform.givenBack.length === 2)
    expect(platform.posts).toBe(2)
    expect(outcomes()).toEqual([
      ['srq_5', 'signed'],
      ['srq_6', 'refused'],
      ['srq_5', 'signed'],
      ['srq_6', 'refused'],
    ])
  })
})
