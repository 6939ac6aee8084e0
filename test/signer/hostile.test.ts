/**
 * Tests a hostile platform: every request is refused with its code, and only because of the check that it
 * meets.
 */

import { expect, test } from 'vitest'
import { ALL_CHECKS, type CheckList } from '../../signer/checks/all-checks.js'
import { decide, decideAll } from '../../signer/decide.js'
import { makeState } from './fixture.js'
import { HOSTILE, MALFORMED } from './hostile.js'
import { HOSTILE_BATCHES } from './hostile-batches.js'
import { HOSTILE_CANCELS } from './hostile-cancel.js'
import { HOSTILE_IDENTITIES } from './hostile-identity.js'
import { HOSTILE_MOVEMENTS } from './hostile-movements.js'
import { HOSTILE_RAILS, MALFORMED_RAILS, REUSED_APPROVALS } from './hostile-rails.js'
import { bitcoinCash, litecoin, railRequest, railsState } from './rails-fixture.js'

const NAMES = Object.values(ALL_CHECKS).flatMap((list) => list.map((check: { name: string }) => check.name))

function without(...names: (string | undefined)[]): CheckList {
  const keep = (check: { name: string }) => !names.includes(check.name)
  return {
    request: ALL_CHECKS.request.filter(keep),
    utxo: ALL_CHECKS.utxo.filter(keep),
    evm: ALL_CHECKS.evm.filter(keep),
    journal: ALL_CHECKS.journal.filter(keep),
  }
}

test.each([
  ...HOSTILE,
  ...HOSTILE_RAILS,
  ...HOSTILE_MOVEMENTS,
  ...HOSTILE_CANCELS,
  ...HOSTILE_BATCHES,
  ...HOSTILE_IDENTITIES,
])('refuses $name: $code', ({ make, code }) => {
  const { request, state } = make()
  const { sequence } = state.journal.position
  expect(decide(request, state)).toMatchObject({ outcome: 'refused', code })
  expect(state.journal.position.sequence).toBe(sequence)
})

test.each([
  ...HOSTILE,
  ...HOSTILE_RAILS,
  ...HOSTILE_MOVEMENTS,
  ...HOSTILE_CANCELS,
  ...HOSTILE_BATCHES,
  ...HOSTILE_IDENTITIES,
])('needs the check $check to refuse $name', ({ make, code, check, behind }) => {
  const { request, state } = make()
  const [decision] = decideAll([request], state, without(check, behind))
  expect(decision).not.toMatchObject({ outcome: 'refused', code })
})

test('has a request for every check that only this check refuses', () => {
  const alone = [
    ...HOSTILE,
    ...HOSTILE_MOVEMENTS,
    ...HOSTILE_CANCELS,
    ...HOSTILE_BATCHES,
    ...HOSTILE_IDENTITIES,
  ].filter((each) => !each.behind)
  expect(new Set(alone.map((each) => each.check))).toEqual(new Set(NAMES))
  expect(new Set(NAMES).size).toBe(NAMES.length)
})

test.each([...MALFORMED, ...MALFORMED_RAILS])('refuses %s as malformed', (_name, request) => {
  expect(decide(request(), railsState())).toMatchObject({ outcome: 'refused', code: 'MALFORMED' })
})

test('refuses everything while the policy cannot be read', () => {
  const { request } = HOSTILE[0]!.make()
  expect(decide(request, { ...makeState(), policy: null })).toMatchObject({
    outcome: 'refused',
    code: 'PAUSED',
  })
})

test('signs the honest requests from which the hostile ones are made', () => {
  for (const rail of [litecoin, bitcoinCash]) {
    expect(decide(railRequest(rail), railsState())).toMatchObject({ outcome: 'signed' })
  }
})

test('refuses approvals of a payout on one chain for the same payout on another', () => {
  expect(decide(REUSED_APPROVALS(), railsState())).toMatchObject({ code: 'INTENT_HASH_MISMATCH' })
})
