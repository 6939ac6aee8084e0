/** Tests movements between own wallets: which need no approval, and how their budgets are counted. */

import { expect, test } from 'vitest'
import { decide } from '../../signer/decide.js'
import { openMemoryStore } from '../../signer/journal/journal-store.js'
import { alice, approve, bob, ethRequest, HOUR, NOW } from './fixture.js'
import { NAMED_TREASURY } from './hostile-movements.js'
import { consolidate, gasFunding, movementState, rebalance, sweep, tokenSweep } from './movements-fixture.js'

test('signs movements to the master wallet, and gas, without approvals', () => {
  const state = movementState()
  for (const request of [sweep(), tokenSweep(), gasFunding(), rebalance('up'), consolidate()]) {
    expect(decide(request, state), request.id).toMatchObject({ outcome: 'signed' })
  }
})

test('signs a rebalance into a hot wallet that two people approved', () => {
  expect(decide(rebalance('down', { by: [alice, bob] }), movementState())).toMatchObject({
    outcome: 'signed',
  })
})

test('refuses a movement that needs no approval after one rejection', () => {
  const request = sweep()
  const approvals = [approve(request.intent_hash, alice, { decision: 'reject' })]
  expect(decide({ ...request, approvals }, movementState())).toMatchObject({ code: 'REJECTED' })
})

test('signs movements to an address of another seed only when the policy names it', () => {
  const { state, requests } = NAMED_TREASURY()
  for (const request of requests) {
    expect(decide(request, state)).toMatchObject({ outcome: 'signed' })
    expect(decide(request, movementState())).toMatchObject({ outcome: 'refused' })
  }
})

test('counts no movement in the limits of payouts', () => {
  const none = { per_transaction: '0', daily: '0' }
  const state = movementState({
    policy: (file) => Object.assign(file.networks.ethereum?.assets.eth ?? {}, none),
  })
  expect(decide(sweep(), state)).toMatchObject({ outcome: 'signed' })
  expect(decide(ethRequest(), state)).toMatchObject({ outcome: 'refused', code: 'POLICY_LIMIT' })
})

test('reads budgets back from the journal, counts a higher fee by its difference, and frees them after 24 hours', () => {
  let now = NOW
  const store = openMemoryStore()
  const open = () =>
    movementState({
      now: () => now,
      store: openMemoryStore(Buffer.from(store.read())),
      policy: (file) =>
        Object.assign(file.networks.ethereum?.movements ?? {}, {
          daily_fee: '0.0045',
          gas_funding: { per_transaction: '0.002', daily: '0.003' },
        }),
    })
  const first = movementState({ now: () => now, store })
  // The first payloads cost 0.00063 ETH of fee and 0.002 ETH of gas. The next costs 0.00195 ETH, raised to
  // 0.0026 ETH.
  expect(decide(gasFunding(), first)).toMatchObject({ outcome: 'signed' })
  expect(decide(tokenSweep(), first)).toMatchObject({ outcome: 'signed' })
  const bumped = tokenSweep({ payload: { max_fee_per_gas: '40000000000' } })
  expect(decide(bumped, first)).toMatchObject({ outcome: 'signed' })
  first.journal.sync()

  // 0.00127 ETH are left: 26,250 gas at 48.38 gwei.
  const small = (price: bigint) =>
    sweep({
      intent: { expires_at: new Date(NOW + 100 * HOUR).toISOString() },
      payload: { max_fee_per_gas: `${price}`, value: `${10n ** 18n - 26_250n * price}` },
    })
  expect(decide(small(48_400_000_000n), open())).toMatchObject({ code: 'POLICY_LIMIT' })
  expect(decide(small(48_300_000_000n), open())).toMatchObject({ outcome: 'signed' })
  now += 24 * HOUR + 1
  expect(decide(small(48_400_000_000n), open())).toMatchObject({ outcome: 'signed' })
})
