/** Tests the limits under a clock that is wrong for a moment. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Intent } from '../../domain/controls/intent.js'
import { decide } from '../../signer/decide.js'
import { LIMIT_WINDOW_MS, RollingSum } from '../../signer/journal/rolling-sum.js'
import { alice, approve, bob, ethRequest, HOUR, iso, NOW, RECIPIENT } from './fixture.js'
import { movementState, sweep } from './movements-fixture.js'

const WEI = 10n ** 18n
const twoDays = { expires_at: iso(48 * HOUR) }

/** Makes a payout of so many ETH. The policy allows 250 a day. */
function payout(name: string, nonce: number, eth: bigint) {
  const amount = (eth * WEI).toString()
  const intent = { withdrawal: `withdrawal_${name}`, outputs: [{ address: RECIPIENT, amount }], ...twoDays }
  const request = ethRequest({ intent, payload: { nonce, value: amount } })
  return (signedAt: string) => ({
    ...request,
    approvals: [alice, bob].map((each) => approve(request.intent_hash, each, { signedAt })),
  })
}

/** Makes a sweep that costs so many thousandths of an ETH. The policy allows 10 a day. */
function swept(name: string, nonce: number, thousandths: bigint) {
  const fee = (thousandths * WEI) / 1_000n
  const intent: Partial<Intent> = {
    withdrawal: `mov_${name}`,
    fee_limit: { coin: 'eth', amount: WEI.toString() },
    ...twoDays,
  }
  const price = { gas: '100000', max_fee_per_gas: (fee / 100_000n).toString() }
  return sweep({ intent, payload: { nonce, ...price, value: (WEI - fee).toString() } })
}

test('keeps the limits of the day when a request is refused under a clock that is a day ahead', () => {
  let now = NOW
  const state = movementState({
    now: () => now,
    policy: ({ networks: { ethereum } }) => {
      if (ethereum?.assets.eth) ethereum.assets.eth.per_transaction = null
    },
  })
  expect(decide(payout('one', 0, 200n)(iso()), state)).toMatchObject({ outcome: 'signed' })
  expect(decide(swept('one', 0, 8n), state)).toMatchObject({ outcome: 'signed' })
  now = NOW + LIMIT_WINDOW_MS + HOUR
  expect(decide(payout('much', 1, 251n)(iso(24 * HOUR)), state)).toMatchObject({ code: 'POLICY_LIMIT' })
  expect(decide(swept('much', 1, 11n), state)).toMatchObject({ code: 'POLICY_LIMIT' })
  now = NOW + HOUR
  expect(decide(swept('two', 1, 8n), state)).toMatchObject({ code: 'POLICY_LIMIT' })
  expect(decide(payout('two', 1, 200n)(iso()), state)).toMatchObject({ code: 'POLICY_LIMIT' })
})

test('sums the window before any time, also after another time was asked for', () => {
  const step = fc.oneof(
    fc.record({ add: fc.bigInt(1n, 9n), after: fc.integer({ min: 0, max: LIMIT_WINDOW_MS / 3 }) }),
    fc.record({ ahead: fc.integer({ min: 0, max: 3 * LIMIT_WINDOW_MS }) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const sum = new RollingSum()
      const all: { at: number; amount: bigint }[] = []
      let last = NOW
      for (const each of steps) {
        if ('add' in each) {
          last += each.after
          all.push({ at: last, amount: each.add })
          sum.add(last, each.add)
          continue
        }
        const now = last + each.ahead
        const inside = all.filter(({ at }) => at > now - LIMIT_WINDOW_MS)
        expect(sum.total(now)).toBe(inside.reduce((total, { amount }) => total + amount, 0n))
      }
    }),
  )
})

test('forgets entries that have left the window, and keeps the sum of very many right', () => {
  const sum = new RollingSum()
  for (let index = 0; index < 10_000; index++) sum.add(NOW + index * HOUR, 1n)
  const last = NOW + 9_999 * HOUR
  expect(sum.total(last)).toBe(24n)
  expect(sum.total(last + 10 * HOUR)).toBe(14n)
  expect(sum.total(last)).toBe(24n)
})
