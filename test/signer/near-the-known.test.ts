/** Tests that nonces and change stay near those in the journal, or near those that the operator states. */

import { expect, test } from 'vitest'
import { decide } from '../../signer/decide.js'
import { openMemoryStore } from '../../signer/journal/journal-store.js'
import { compilePolicy } from '../../signer/policy/policy.js'
import { dustLimit } from '../../signer/utxo/dust-limit.js'
import { btcRequest, ethRequest, makeState, PAYING_ADDRESS, policyFile, usdtRequest } from './fixture.js'
import { firstNonce, secondChange } from './hostile.js'

const signed = { outcome: 'signed' }

test('signs a nonce as far above the highest signed one as the policy allows, also after a restart', () => {
  const store = openMemoryStore()
  expect(decide(ethRequest(), makeState({ store }))).toMatchObject(signed)
  const again = () => makeState({ store: openMemoryStore(Buffer.from(store.read())) })
  expect(decide(usdtRequest({ payload: { nonce: 69 } }), again())).toMatchObject(signed)
  expect(decide(usdtRequest({ payload: { nonce: 70 } }), again())).toMatchObject({ code: 'NONCE_CONFLICT' })
})

test('begins with the nonce that the operator states for an account that paid before this journal', () => {
  const state = makeState({ policy: firstNonce(1_000) })
  expect(decide(ethRequest({ payload: { nonce: 1_063 } }), state)).toMatchObject(signed)
  const lower = policyFile((file) => {
    Object.assign(file.networks.ethereum ?? {}, { first_nonces: { [PAYING_ADDRESS.toLowerCase()]: 1_000 } })
  })
  expect(compilePolicy(lower).hash).not.toBe(compilePolicy(policyFile()).hash)
})

test('signs a signed payload again when the policy allows less since', () => {
  const store = openMemoryStore()
  const first = decide(ethRequest({ payload: { nonce: 60 } }), makeState({ store }))
  expect(first).toMatchObject(signed)
  const tighter = makeState({
    store: openMemoryStore(Buffer.from(store.read())),
    policy: (file) => void Object.assign(file.networks.ethereum ?? {}, { max_nonces_ahead: 1 }),
  })
  expect(decide(ethRequest({ payload: { nonce: 60 } }), tighter)).toEqual(first)
})

test('signs change as far above the highest index as the policy allows, also after a restart', () => {
  const store = openMemoryStore()
  expect(decide(btcRequest(), makeState({ store }))).toMatchObject(signed)
  const again = () => makeState({ store: openMemoryStore(Buffer.from(store.read())) })
  const second = (index: number) =>
    decide(btcRequest({ intent: { withdrawal: 'withdrawal_second' }, psbt: secondChange(index) }), again())
  expect(second(103)).toMatchObject(signed)
  expect(second(104)).toMatchObject({ code: 'CHANGE_NOT_MINE' })
})

test('computes dust by the type of a script and the rate of the network', () => {
  const sized =
    (...start: number[]) =>
    (length: number) =>
      Buffer.concat([Buffer.from(start), Buffer.alloc(length)])
  const scripts = {
    p2wpkh: sized(0, 20)(20),
    p2wsh: sized(0, 32)(32),
    p2tr: sized(0x51, 32)(32),
    p2sh: sized(0xa9, 20)(21),
    p2pkh: sized(0x76, 0xa9, 20)(22),
  }
  const at = (rate: number) =>
    Object.fromEntries(Object.entries(scripts).map(([type, script]) => [type, dustLimit(script, rate)]))
  expect(at(3)).toEqual({ p2wpkh: 294n, p2wsh: 330n, p2tr: 330n, p2sh: 540n, p2pkh: 546n })
  expect(at(30)).toMatchObject({ p2wpkh: 2_940n, p2pkh: 5_460n })
})
