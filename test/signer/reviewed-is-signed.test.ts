/** Tests that the signer signs only what people reviewed. */

import { parseTransaction } from 'viem'
import { expect, test } from 'vitest'
import { decide } from '../../signer/decide.js'
import { call, ethRequest, makeState, RECIPIENT, STRANGER, USDT, usdtRequest } from './fixture.js'

test('story 10: signs the payout that people reviewed, and refuses another payload beside a true intent', () => {
  const honest = decide(usdtRequest(), makeState())
  if (honest.outcome !== 'signed') throw new Error(honest.code)
  const signed = parseTransaction(honest.signedTransaction as `0x02${string}`)
  expect([signed.to?.toLowerCase(), signed.data]).toEqual([
    USDT.toLowerCase(),
    call('transfer', RECIPIENT, 25_000_000n),
  ])
  // The intent, its hash and both approvals are true in each request. Only the payload differs.
  const delegateCall = `0x6a761202${'00'.repeat(31)}01`
  const payloads = [
    { data: call('transfer', STRANGER, 25_000_000n) },
    { data: call('approve', RECIPIENT, 25_000_000n) },
    { data: call('transfer', RECIPIENT, 25_000_001n) },
    { data: `${call('transfer', RECIPIENT, 25_000_000n)}00` },
    { data: delegateCall },
    { to: STRANGER },
    { value: '1' },
  ]
  for (const payload of payloads) {
    expect(decide(usdtRequest({ payload }), makeState())).toMatchObject({ outcome: 'refused' })
  }
  expect(decide(ethRequest({ payload: { data: delegateCall } }), makeState())).toMatchObject({
    outcome: 'refused',
    code: 'CALLDATA_NOT_ALLOWED',
  })
})

test('story 10: refuses an intent that was changed after its approval', () => {
  const request = usdtRequest()
  const intent = { ...request.intent, outputs: [{ address: STRANGER, amount: '25000000' }] }
  const payload = { ...request.payload, data: call('transfer', STRANGER, 25_000_000n) }
  expect(decide({ ...request, intent, payload }, makeState())).toMatchObject({
    outcome: 'refused',
    code: 'INTENT_HASH_MISMATCH',
  })
})
