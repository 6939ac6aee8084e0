/** No payout loses its approvals while its signer is stopped. */

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
  const to_address = `0x${'ab'.repeat(20)}`
  const id = await stage.request({ network: 'ethereum', coin: 'eth', amount: '1', to_address })
  await stage.approve(id)
  await stage.until(id, 'pending_signature')
  return id
}
async function untilWaiting(id: string, code: string): Promise<string> {
  const { waiting } = await stage.untilView(id, (view) => view.waiting?.code === code)
  return waiting?.message ?? ''
}

test('hands nothing to a signer that reports that it is stopped, and shows why the payout waits', async () => {
  const id = await approved()
  const claim = { journal_head: '0'.repeat(64), journal_sequence: 0, wait_seconds: 0 }
  const { status, json } = await stage.signer.send('/signer/v1/claim', { ...claim, stopped: 'paused' })
  expect([status, json.data.requests]).toEqual([200, []])
  expect(await untilWaiting(id, 'SIGNER_STOPPED')).toContain('paused by its operator')
  stage.signer.run(realSigner(stage))
  await stage.until(id, 'confirmed')
  await stage.signer.stop()
})

test.each(['PAUSED', 'JOURNAL_STALE'] as const)(
  'hands out a request again after a refusal with %s, and pays with the approvals that the payout has',
  async (code) => {
    const id = await approved()
    const [request] = (await stage.signer.claim(10)).requests
    const refusal = { request_id: request?.id ?? '', outcome: 'refused' as const, code, message: 'Stopped' }
    expect((await stage.signer.answer(refusal)).status).toBe(200)
    await untilWaiting(id, 'SIGNER_STOPPED')
    // The request does not return at once, so that a stopped signer is not asked in a tight loop.
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

test('keeps the nonce of a postponed request, and lets the next payout of the wallet wait for it', async () => {
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
  stage.signer.run(realSigner(stage))
  await stage.until(first, 'confirmed')
  await stage.until(second, 'confirmed')
  await stage.signer.stop()
})
