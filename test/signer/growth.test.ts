/**
 * Tests that a hostile platform cannot make the journal grow without bound, and that the work grows only with
 * the bytes.
 */

import { expect, test } from 'vitest'
import { MAX_PAYLOAD_INPUTS } from '../../domain/signing/signer-protocol.js'
import { decide } from '../../signer/decide.js'
import { openMemoryStore } from '../../signer/journal/journal-store.js'
import { LIMIT_WINDOW_MS } from '../../signer/journal/rolling-sum.js'
import { compilePolicy, DEFAULT_DAILY_COUNT } from '../../signer/policy/policy.js'
import { matchOutputs } from '../../signer/utxo/match-outputs.js'
import { btcRequest, NOW, policyFile } from './fixture.js'
import { inventedGathering } from './hostile-movements.js'
import { movementPolicy, movementState } from './movements-fixture.js'

const ALLOWED = 3
const fewMovements = (file: Parameters<typeof movementPolicy>[0]) =>
  void Object.assign(file.networks.bitcoin?.movements ?? {}, {
    daily_count: { consolidation: ALLOWED, gas_funding: 0, rebalance: 0 },
  })

test('signs only as many consolidations of invented coins a day as the policy allows, also after a restart', () => {
  const store = openMemoryStore()
  const outcomes = Array.from({ length: 300 }, (_, index) => {
    // Each request meets a restarted signer, and the first half comes twice.
    const state = movementState({ store, policy: fewMovements })
    return decide(inventedGathering(index % 150), state).outcome
  })
  expect(outcomes.filter((outcome) => outcome === 'signed')).toHaveLength(2 * ALLOWED)
  const { journal } = movementState({ store, policy: fewMovements })
  expect(journal.size(NOW)).toMatchObject({ lines: 2 * ALLOWED })
  expect(journal.size(NOW).bytes).toBe(store.read().length)
  expect(journal.size(NOW).bytesLastDay).toBe(store.read().length)
  expect(journal.size(NOW + LIMIT_WINDOW_MS + 1).bytesLastDay).toBe(0)
})

test('reads a policy without a number of movements with the default, and keeps its hash', () => {
  const file = policyFile(movementPolicy)
  const policy = compilePolicy(file)
  const network = [...policy.networks.values()].find((each) => each.family === 'utxo')
  expect(network?.movements?.dailyCount).toEqual(DEFAULT_DAILY_COUNT)
  expect(JSON.stringify(policy.file)).not.toContain('daily_count')
})

test('reads each output and each wanted output once when it matches them', () => {
  const COUNT = 5_000
  let reads = 0
  const payouts = (amount: bigint) =>
    Array.from({ length: COUNT }, (_, index) => ({
      amount,
      get script() {
        reads++
        return Uint8Array.of(index >> 8, index & 255)
      },
    }))
  const { missing, extra } = matchOutputs(payouts(1n), payouts(2n))
  expect([missing.length, extra.length]).toEqual([COUNT, COUNT])
  expect(reads).toBe(2 * COUNT)
})

test('matches an address that is wanted twice with two outputs, and not with a third', () => {
  const pay = (amount: bigint, id: number) => ({ amount, script: Uint8Array.of(7), id })
  const { missing, extra } = matchOutputs(
    [pay(1n, 1), pay(1n, 2), pay(2n, 3)],
    [1, 2, 3].map((id) => pay(1n, id)),
  )
  expect(missing.map(({ id }) => id)).toEqual([3])
  expect(extra.map(({ id }) => id)).toEqual([3])
})

test('refuses a payload with more inputs than it signs within a second', () => {
  const coins = Array.from({ length: MAX_PAYLOAD_INPUTS + 1 }, (_, index) => ({
    path: `m/84'/1'/0'/0/${index}`,
    amount: 1_000n,
  }))
  const decision = decide(btcRequest({ psbt: { coins: coins } }), movementState())
  expect(decision).toMatchObject({ outcome: 'refused', code: 'MALFORMED' })
  expect(decision).toMatchObject({ message: expect.stringContaining(String(MAX_PAYLOAD_INPUTS)) })
})
