/** A signer that is stopped for a while costs no payment its approvals. */

import { parseEther } from 'viem'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type EthereumRail, openEthereum } from '../stage/open-ethereum.js'
import { realSigner } from '../stage/real-signer.js'
import type { Stage } from '../stage/start-stage.js'

let rail: EthereumRail
let stage: Stage

beforeAll(async () => {
  rail = await openEthereum({ wei: parseEther('100'), signatureLookMs: { online: 300, offline: 300 } })
  stage = rail.stage
})
beforeEach(async () => {
  await stage.api.database.sql`UPDATE signers SET stopped = NULL`
})
afterAll(() => rail?.close())

async function approved(): Promise<string> {
  const { json } = await stage.create({
    network: 'ethereum',
    coin: 'eth',
    amount: '1',
    to_address: `0x${'ab'.repeat(20)}`,
  })
  await stage.approve(json.data.id)
  await stage.until(json.data.id, 'pending_signature')
  return json.data.id
}
async function untilWaiting(id: string, code: string): Promise<string> {
  const { waiting } = await stage.untilView(id, (view) => view.waiting?.code === code)
  return waiting?.message ?? ''
}

test('a signer that says that it is stopped gets nothing to sign, and the payment says why it waits', async () => {
  const id = await approved()
  const claim = { journal_head: '0'.repeat(64), journal_sequence: 0, wait_seconds: 0 }
  const { status, json } = await stage.signer.send('/signer/v1/claim', { ...claim, stopped: 'paused' })
  expect([status, json.data.requests]).toEqual([200, []])
  expect(await untilWaiting(id, 'SIGNER_STOPPED')).toContain('paused by its operator')
  const running = stage.signer.run(realSigner(stage))
  await stage.until(id, 'confirmed')
  await running.stop()
})

test.each(['PAUSED', 'JOURNAL_STALE'] as const)(
  'a refusal with %s ends no payment: it is handed out again as it was, and paid with the approvals it has',
  async (code) => {
    const id = await approved()
    const [request] = (await stage.signer.claim(10)).requests
    const refusal = { request_id: request?.id ?? '', outcome: 'refused' as const, code, message: 'Stopped' }
    expect((await stage.signer.answer(refusal)).status).toBe(200)
    await untilWaiting(id, 'SIGNER_STOPPED')
    // Not at once: a signer that is stopped must not be asked in a tight loop.
    expect((await stage.signer.claim()).requests).toEqual([])
    await stage.api.database.sql`UPDATE signing_requests SET lease_until = now() WHERE payout_id = ${id}`
    const [again] = (await stage.signer.claim()).requests
    expect(again).toEqual({ ...request, lease_until: again?.lease_until })
    if (!again) throw new Error('claimed')
    const signed = await realSigner(stage)(again)
    await stage.signer.answer({ ...signed, request_id: again.id })
    const paid = await stage.until(id, 'confirmed')
    expect(paid.failure).toBeNull()
    expect(await stage.api.database.sql`SELECT id FROM approvals WHERE subject_id = ${id}`).toHaveLength(2)
  },
)

test('what was put off so keeps its nonce: the next payment of the wallet waits for it', async () => {
  const first = await approved()
  const [request] = (await stage.signer.claim(10)).requests
  await stage.signer.answer({
    request_id: request?.id ?? '',
    outcome: 'refused',
    code: 'PAUSED',
    message: 'Stopped',
  })
  const second = await approved()
  expect((await stage.signer.claim()).requests).toEqual([])
  await stage.api.database
    .sql`UPDATE signing_requests SET lease_until = now() WHERE state = 'queued' AND payout_id = ${first}`
  const running = stage.signer.run(realSigner(stage))
  await stage.until(first, 'confirmed')
  await stage.until(second, 'confirmed')
  await running.stop()
})
