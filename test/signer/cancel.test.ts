/**
 * Tests requests of an honest platform besides payouts: attempts with higher fees, and cancellations in the
 * conflict set.
 */

import * as bitcoin from 'bitcoinjs-lib'
import { parseTransaction } from 'viem'
import { expect, test } from 'vitest'
import { decide } from '../../signer/decide.js'
import { openMemoryStore } from '../../signer/journal/journal-store.js'
import {
  btcRequest,
  CHANGE_PATH,
  COINS,
  ethRequest,
  FEE,
  HOUR,
  honestOutputs,
  makeState,
  NOW,
  ownScript,
  PAYING_ADDRESS,
} from './fixture.js'
import { after, btcCancel, CANCEL_FEE, ethCancel } from './hostile-cancel.js'

function signed(decision: ReturnType<typeof decide>) {
  if (decision.outcome !== 'signed') throw new Error(`${decision.code}: ${decision.message}`)
  return decision
}

test('cancels an EVM payout with its nonce and 0 to itself, without approvals and above the approved fee', () => {
  const request = ethCancel({}, 500n)
  const raw = signed(decide(request, after([ethRequest()]))).signedTransaction as `0x02${string}`
  expect(parseTransaction(raw)).toMatchObject({ nonce: 5, to: PAYING_ADDRESS })
  expect(parseTransaction(raw).value ?? 0n).toBe(0n)
  expect(parseTransaction(raw).data).toBeUndefined()
})

test('cancels a UTXO payout with all of its inputs, back to own change', () => {
  const raw = signed(decide(btcCancel(), after([btcRequest()]))).signedTransaction
  const transaction = bitcoin.Transaction.fromHex(raw)
  expect(transaction.ins).toHaveLength(COINS.length)
  expect(transaction.outs.map((out) => out.value)).toEqual([110_000_000n - CANCEL_FEE])
  expect(Buffer.from(transaction.outs[0]?.script ?? []).equals(Buffer.from(ownScript(CHANGE_PATH)))).toBe(
    true,
  )
})

test('gives the same bytes for a cancellation again, also after a restart', () => {
  const store = openMemoryStore()
  const first = signed(decide(ethCancel(), after([ethRequest()], { store })))
  const again = makeState({ store: openMemoryStore(Buffer.from(store.read())), now: () => NOW + 30 * HOUR })
  expect(signed(decide(ethCancel(), again)).signedTransaction).toBe(first.signedTransaction)
})

test('counts only the difference of a cancellation with a higher fee', () => {
  const state = after([ethRequest(), ethCancel({}, 3_000n)])
  expect(decide(ethCancel({}, 3_300n), state)).toMatchObject({ outcome: 'signed' })
})

test('frees the budget of cancellations after a day', () => {
  const later = ethRequest({ intent: { withdrawal: 'withdrawal_later' }, payload: { nonce: 9 } })
  const gap = (withdrawal: string, nonce: number) =>
    ethCancel({ intent: { withdrawal }, payload: { nonce } }, 3_000n)
  let now = NOW
  const state = after([later, gap('withdrawal_first', 6)], { now: () => now })
  expect(decide(gap('withdrawal_second', 7), state)).toMatchObject({ code: 'POLICY_LIMIT' })
  now += 24 * HOUR + 1
  expect(decide(gap('withdrawal_second', 7), state)).toMatchObject({ outcome: 'signed' })
})

test('signs a higher fee after expiry, and with stale approvals, for a payout that was signed in time', () => {
  let now = NOW
  const state = after([ethRequest()], { now: () => now })
  now += 48 * HOUR
  const higherFee = ethRequest({ payload: { max_fee_per_gas: '60000000000' } })
  expect(decide(higherFee, state)).toMatchObject({ outcome: 'signed' })
  const other = ethRequest({ intent: { withdrawal: 'withdrawal_other' }, payload: { nonce: 6 } })
  expect(decide(other, state)).toMatchObject({ code: 'INTENT_EXPIRED' })
})

test('refuses to pay an expired intent after a cancellation of it', () => {
  let now = NOW
  const later = ethRequest({ intent: { withdrawal: 'withdrawal_later' }, payload: { nonce: 9 } })
  const state = after([later, ethCancel()], { now: () => now })
  now += 48 * HOUR
  expect(decide(ethRequest(), state)).toMatchObject({ code: 'INTENT_EXPIRED' })
})

test('lets a UTXO attempt with a higher fee add inputs, and refuses one without an input of the first', () => {
  const state = after([btcRequest()])
  const [first, second] = COINS
  const [recipient, change] = honestOutputs
  if (!first || !second || !recipient || !change) throw new Error('the fixture has two of each')
  const added = { path: "m/84'/1'/1'/0/1", amount: 5_000_000n, salt: 7 }
  const more = {
    coins: [first, second, added],
    outputs: [recipient, { ...change, amount: change.amount + 5_000_000n - FEE }],
  }
  expect(decide({ ...btcRequest({ psbt: more }), id: 'srq_2' }, state)).toMatchObject({ outcome: 'signed' })
  const without = { coins: [first, { ...added, amount: 50_000_000n }], outputs: [recipient, change] }
  expect(decide({ ...btcRequest({ psbt: without }), id: 'srq_3' }, state)).toMatchObject({
    code: 'CONFLICT_SET',
  })
})
