/** Movements between the own wallets: which need no approval, and how their budgets are counted. */

import { expect, test } from 'vitest'
import { decide } from '../../signer/decide.js'
import { openMemoryStore } from '../../signer/journal/journal-store.js'
import { alice, approve, bob, ethRequest, HOUR, NOW } from './fixture.js'
import { NAMED_TREASURY } from './hostile-movements.js'
import { gasFunding, gather, movementState, rebalance, sweep, tokenSweep } from './movements-fixture.js'

test('signs what goes to the master wallet, and gas, without anybody', () => {
  const state = movementState()
  for (const request of [sweep(), tokenSweep(), gasFunding(), rebalance('up'), gather()]) {
    expect(decide(request, state), request.id).toMatchObject({ outcome: 'signed' })
  }
})

test('fills a hot wallet when two people approved it', () => {
  expect(decide(rebalance('down', { by: [alice, bob] }), movementState())).toMatchObject({
    outcome: 'signed',
  })
})

test('a rejection stops a movement that needs no approval', () => {
  const request = sweep()
  const approvals = [approve(request.intent_hash, alice, { decision: 'reject' })]
  expect(decide({ ...request, approvals }, movementState())).toMatchObject({ code: 'REJECTED' })
})

test('pays an address of another seed that the policy names, and no other', () => {
  const { state, requests } = NAMED_TREASURY()
  for (const request of requests) {
    expect(decide(request, state)).toMatchObject({ outcome: 'signed' })
    expect(decide(request, movementState())).toMatchObject({ outcome: 'refused' })
  }
})

test('movements leave the limits of payments alone', () => {
  const none = { per_transaction: '0', daily: '0' }
  const state = movementState({
    policy: (file) => Object.assign(file.networks.ethereum?.assets.eth ?? {}, none),
  })
  expect(decide(sweep(), state)).toMatchObject({ outcome: 'signed' })
  expect(decide(ethRequest(), state)).toMatchObject({ outcome: 'refused', code: 'POLICY_LIMIT' })
})

test('budgets are read back from the journal, count a bump by its difference, and end after 24 hours', () => {
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
  // 0.00063 ETH of fee and 0.002 ETH of gas; then 0.00195 ETH, bumped to 0.0026 ETH.
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
