/**
 * Tests that the journal finds an intent by that intent alone, for every id that a hostile platform invents.
 */

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { SigningRequest } from '../../domain/signing/signer-protocol.js'
import { ALL_CHECKS, type CheckList } from '../../signer/checks/all-checks.js'
import { decide, decideAll } from '../../signer/decide.js'
import { openMemoryStore } from '../../signer/journal/journal-store.js'
import type { SignerState } from '../../signer/state.js'
import { alice, approve, bob, btcRequest, ethRequest, iso, MINUTE, NOW, usdtRequest } from './fixture.js'
import { btcPart, ethPart, PART_COINS } from './hostile-batches.js'
import { ethCancel } from './hostile-cancel.js'
import { HOSTILE_SEQUENCES, identityState, namesake } from './hostile-identity.js'
import { gasFunding, SMALL_COINS, sweep } from './movements-fixture.js'

/** All checks except the grammar of ids. */
const ANY_ID: CheckList = {
  ...ALL_CHECKS,
  request: ALL_CHECKS.request.filter((check) => check.name !== 'id-of-its-kind'),
}

function ask(request: SigningRequest, state: SignerState, checks = ALL_CHECKS) {
  const [decision] = decideAll([request], state, checks)
  if (!decision) throw new Error('One request has one decision')
  return decision
}

test.each(HOSTILE_SEQUENCES)(
  'signs nothing at the end of a sequence with $name',
  ({ state: make, before, hostile }) => {
    const state = make()
    for (const request of before()) ask(request, state)
    const { sequence } = state.journal.position
    const decision = ask(hostile(), state)
    // If the namesake was refused, the last request may be an honest payout.
    expect(decision.outcome).toBe('refused')
    expect(state.journal.position.sequence).toBe(sequence)
  },
)

test.each(HOSTILE_SEQUENCES)(
  'refuses $name without the grammar of ids: $code',
  ({ state: make, before, hostile, code }) => {
    const state = make()
    for (const request of before()) expect(ask(request, state, ANY_ID)).toMatchObject({ outcome: 'signed' })
    const { sequence } = state.journal.position
    expect(ask(hostile(), state, ANY_ID)).toMatchObject({ outcome: 'refused', code })
    expect(state.journal.position.sequence).toBe(sequence)
  },
)

test('signs payouts whose ids a refused movement took', () => {
  for (const id of ['batch_btc#0', 'batch_btc', 'withdrawal_btc']) {
    const state = identityState()
    expect(ask(namesake(id), state)).toMatchObject({ outcome: 'refused', code: 'MALFORMED' })
    expect(ask(btcPart([0]), state)).toMatchObject({ outcome: 'signed' })
    const other = btcRequest({ intent: { outputs: btcRequest().intent.outputs } })
    expect(ask(other, state)).toMatchObject({ outcome: 'signed' })
  }
})

test('writes the kind, the intent’s hash and the items into fields of their own', () => {
  const store = openMemoryStore()
  const state = identityState({ store })
  for (const request of [ethRequest(), btcPart([1, 2]), sweep()]) ask(request, state)
  const lines = store.read().toString('utf8').trim().split('\n')
  const known = lines
    .map((line) => JSON.parse(line))
    .map(({ type, kind, intent, intent_hash, items, first_item }) => ({
      type,
      kind,
      intent,
      intent_hash,
      items,
      first_item,
    }))
  expect(known).toEqual(
    [
      { request: ethRequest(), kind: 'withdrawal', intent: 'withdrawal_eth', first: null },
      { request: btcPart([1, 2]), kind: 'batch', intent: 'batch_btc', first: 1 },
      { request: sweep(), kind: 'consolidation', intent: 'mov_sweep', first: null },
    ].flatMap(({ request: { intent_hash, items }, kind, intent, first }) => [
      { type: 'decided', kind, intent, intent_hash, items: items ?? undefined, first_item: undefined },
      { type: 'signed', kind: undefined, intent, intent_hash, items: undefined, first_item: first },
    ]),
  )
})

const OLD = { intent: { signer: undefined } }
/**
 * Requests for which an older signer wrote `named-by-text.jsonl`. It named records by text, and its intents
 * named no signer. A movement under the name of the last part stands before that part in the journal. It
 * spends the same coins, so it is not given again.
 */
const OLD_REQUESTS: readonly (() => SigningRequest)[] = [
  () => ethRequest(OLD),
  () => ethRequest({ ...OLD, payload: { max_fee_per_gas: '40000000000' } }),
  () => usdtRequest(OLD),
  () => ethCancel(OLD),
  () => btcRequest(OLD),
  () => ethPart(0, OLD),
  () => ethPart(2, OLD),
  () => sweep(OLD),
  () => gasFunding(OLD),
  () => btcPart([0, 1], { ...OLD, coins: [...SMALL_COINS, ...PART_COINS.slice(0, 1)] }),
]

function oldState(): SignerState {
  const old = readFileSync(new URL('journals/named-by-text.jsonl', import.meta.url))
  return identityState({ store: openMemoryStore(old) })
}

test('opens a journal of a signer that named records by text, and gives the same bytes for each request', () => {
  const state = oldState()
  const { sequence } = state.journal.position
  const stored = readFileSync(new URL('journals/named-by-text.jsonl', import.meta.url), 'utf8')
  for (const make of OLD_REQUESTS) {
    const decision = ask(make(), state, ANY_ID)
    if (decision.outcome !== 'signed') throw new Error(JSON.stringify(decision))
    expect(stored).toContain(`"signed_transaction":"${decision.signedTransaction}"`)
  }
  expect(state.journal.position.sequence).toBe(sequence)
})

test('refuses another nonce or other coins for an intent that such a journal holds', () => {
  const state = oldState()
  expect(decide(ethRequest({ ...OLD, payload: { nonce: 30 } }), state)).toMatchObject({
    code: 'CONFLICT_SET',
  })
  expect(decide(ethPart(2, { ...OLD, payload: { nonce: 30 } }), state)).toMatchObject({
    code: 'CONFLICT_SET',
  })
  const elsewhere = btcPart([1], { ...OLD, coins: PART_COINS.slice(1, 2) })
  expect(decide(elsewhere, state)).toMatchObject({ code: 'CONFLICT_SET' })
  const named = { intent: { withdrawal: 'withdrawal_new' }, payload: { nonce: 12 } }
  expect(decide(ethRequest(named), state)).toMatchObject({ code: 'NONCE_CONFLICT' })
})

test('signs a higher fee for an intent without a signer that an older signer paid, and refuses one that it did not pay', () => {
  const state = oldState()
  const higherFee = ethRequest({ ...OLD, payload: { max_fee_per_gas: '60000000000' } })
  expect(decide(higherFee, state)).toMatchObject({ outcome: 'signed' })
  expect(decide(ethPart(1, { ...OLD, payload: { nonce: 40 } }), state)).toMatchObject({ code: 'MALFORMED' })
  // The id stands for the old intent, so naming a signer later does not make it a new one.
  expect(decide(ethRequest({ payload: { nonce: 40 } }), state)).toMatchObject({ code: 'CONFLICT_SET' })
})

test('signs an intent only at the signer that it names, of two with one seed and one policy', () => {
  const [first, second] = [identityState(), identityState({ signerId: 'sig_2' })]
  for (const request of [ethRequest(), btcPart([0]), sweep(), gasFunding()]) {
    expect(decide(request, second)).toMatchObject({ outcome: 'refused', code: 'SIGNER_MISMATCH' })
    expect(decide(request, first)).toMatchObject({ outcome: 'signed' })
  }
})

test('refuses an intent from before the enrolment, and signs one from after it', () => {
  let now = NOW - 5 * MINUTE
  const state = identityState({ now: () => now })
  state.journal.append({ type: 'enrolled' })
  now = NOW
  expect(decide(ethRequest(), state)).toMatchObject({ outcome: 'refused', code: 'JOURNAL_STALE' })
  expect(decide(btcPart([0]), state)).toMatchObject({ outcome: 'refused', code: 'JOURNAL_STALE' })
  const created = ethRequest({ intent: { created_at: iso(-MINUTE) } })
  const approvals = [alice, bob].map((each) => approve(created.intent_hash, each, { signedAt: iso(0) }))
  expect(decide({ ...created, approvals }, state)).toMatchObject({ outcome: 'signed' })
})
