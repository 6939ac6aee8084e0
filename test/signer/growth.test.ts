/** What a hostile platform can make this signer write is bounded, and shown; and what it looks at grows with the bytes alone. */

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

test('of three hundred consolidations of invented coins a day as many are signed as the policy allows, also after a restart', () => {
  const store = openMemoryStore()
  const outcomes = Array.from({ length: 300 }, (_, index) => {
    // Each meets a signer that was started again, the first half twice.
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

test('a policy that is older than the number of movements has the usual one, and keeps its hash', () => {
  const file = policyFile(movementPolicy)
  const policy = compilePolicy(file)
  const network = [...policy.networks.values()].find((each) => each.family === 'utxo')
  expect(network?.movements?.dailyCount).toEqual(DEFAULT_DAILY_COUNT)
  expect(JSON.stringify(policy.file)).not.toContain('daily_count')
})

test('matching outputs reads each of them once, and each that is wanted', () => {
  const COUNT = 5_000
  let reads = 0
  const payments = (amount: bigint) =>
    Array.from({ length: COUNT }, (_, index) => ({
      amount,
      get script() {
        reads++
        return Uint8Array.of(index >> 8, index & 255)
      },
    }))
  const { missing, extra } = matchOutputs(payments(1n), payments(2n))
  expect([missing.length, extra.length]).toEqual([COUNT, COUNT])
  expect(reads).toBe(2 * COUNT)
})

test('an address that is wanted twice is paid twice, and a third payment to it is none', () => {
  const pay = (amount: bigint, id: number) => ({ amount, script: Uint8Array.of(7), id })
  const { missing, extra } = matchOutputs(
    [pay(1n, 1), pay(1n, 2), pay(2n, 3)],
    [1, 2, 3].map((id) => pay(1n, id)),
  )
  expect(missing.map(({ id }) => id)).toEqual([3])
  expect(extra.map(({ id }) => id)).toEqual([3])
})

test('a payload of more inputs than are signed within a second is not read', () => {
  const coins = Array.from({ length: MAX_PAYLOAD_INPUTS + 1 }, (_, index) => ({
    path: `m/84'/1'/0'/0/${index}`,
    amount: 1_000n,
  }))
  const decision = decide(btcRequest({ psbt: { coins: coins } }), movementState())
  expect(decision).toMatchObject({ outcome: 'refused', code: 'MALFORMED' })
  expect(decision).toMatchObject({ message: expect.stringContaining(String(MAX_PAYLOAD_INPUTS)) })
})
