/** Tests batches at the signer: parts, items and their fees. */

import { expect, test } from 'vitest'
import { decide } from '../../signer/decide.js'
import { openMemoryStore } from '../../signer/journal/journal-store.js'
import { afterParts, batchState, btcPart, ETH_FEE, ethPart, PART_COINS } from './hostile-batches.js'

test('signs every part of an approved batch, with two rows to one address in parts of their own', () => {
  const state = batchState()
  const hashes = [0, 1, 2].map((item) => {
    const decision = decide(ethPart(item), state)
    if (decision.outcome !== 'signed') throw new Error(`${decision.code}: ${decision.message}`)
    return decision.transactionHash
  })
  expect(new Set(hashes).size).toBe(3)
  expect(decide(btcPart([0, 1]), state)).toMatchObject({ outcome: 'signed' })
  expect(decide(btcPart([2], { coins: PART_COINS.slice(1, 2) }), state)).toMatchObject({ outcome: 'signed' })
})

test('gives the same bytes for a part again, and none for the same payload with another item', () => {
  const state = batchState()
  const first = decide(ethPart(0), state)
  expect(decide(ethPart(0), state)).toEqual(first)
  // Rows 0 and 1 pay the same to the same address, so only the nonce distinguishes them.
  expect(decide({ ...ethPart(0), items: [1] }, state)).toMatchObject({ code: 'NONCE_CONFLICT' })
  expect(decide(ethPart(1), state)).toMatchObject({ outcome: 'signed' })
})

test('signs a further attempt of a part that pays fewer items from the coins of the first', () => {
  const state = afterParts([btcPart([0, 1])])()
  expect(decide(btcPart([1], { fee: 5_000n }), state)).toMatchObject({ outcome: 'signed' })
  expect(decide(btcPart([0], { fee: 5_000n, coins: PART_COINS.slice(1, 2) }), state)).toMatchObject({
    outcome: 'refused',
    code: 'CONFLICT_SET',
  })
})

test('counts each part once in the limits, however often it is attempted', () => {
  const state = batchState({
    policy: (file) => {
      const eth = file.networks.ethereum?.assets.eth
      if (eth) Object.assign(eth, { daily: '4' })
    },
  })
  expect(decide(ethPart(0), state)).toMatchObject({ outcome: 'signed' })
  const higherFee = { payload: { max_fee_per_gas: '40000000000' } }
  expect(decide(ethPart(0, higherFee), state)).toMatchObject({ outcome: 'signed' })
  expect(decide(ethPart(1), state)).toMatchObject({ outcome: 'signed' })
  expect(decide(ethPart(2), state)).toMatchObject({ outcome: 'signed' })
  expect(state.journal.spent('eip155:31337/native', state.now())).toBe(4n * 10n ** 18n)
  expect(state.journal.records.fees(ethPart(0).intent_hash)).toBe(2n * ETH_FEE + (ETH_FEE * 4n) / 3n)
})

test('finds every part of a batch in a journal that is opened again', () => {
  const store = openMemoryStore()
  const state = batchState({ store })
  const signed = [ethPart(0), ethPart(2), btcPart([0, 1])].map((request) => decide(request, state))
  const again = batchState({ store: openMemoryStore(store.read()) })
  expect([ethPart(0), ethPart(2), btcPart([0, 1])].map((request) => decide(request, again))).toEqual(signed)
  expect(decide(ethPart(0, { payload: { nonce: 30 } }), again)).toMatchObject({ code: 'CONFLICT_SET' })
  expect(decide(ethPart(1, { payload: { nonce: 12 } }), again)).toMatchObject({ code: 'NONCE_CONFLICT' })
  expect(again.journal.records.fees(ethPart(0).intent_hash)).toBe(2n * ETH_FEE)
})

test('refuses a part that the journal does not hold after a restore', () => {
  const state = afterParts([ethPart(0)])()
  state.journal.append({ type: 'restored', reason: 'test' })
  expect(decide(ethPart(0), state)).toMatchObject({ outcome: 'signed' })
  expect(decide(ethPart(1), state)).toMatchObject({ code: 'JOURNAL_STALE' })
})
