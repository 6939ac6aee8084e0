/** A pause of settlement on an EVM chain, at every step of a payout. */

import { setTimeout as sleep } from 'node:timers/promises'
import { parseEther } from 'viem'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { EvmAdapter } from '../../chains/adapter.js'
import { inTransaction } from '../../db/connect.js'
import { decideRail, resumeMerchant, suspendMerchant } from '../../db/merchants/decide-merchant.js'
import type { SigningRequest } from '../../domain/signing/signer-protocol.js'
import { type EthereumRail, openEthereum, replacing } from '../stage/open-ethereum.js'
import { pauseSettlement, resumeSettlement } from '../stage/settlement.js'
import type { Stage } from '../stage/start-stage.js'
import { creditAsWorkflow } from '../stage/treasury.js'

let rail: EthereumRail
let stage: Stage
/** Methods of the adapter that are replaced at the moment. */
let fault: Partial<EvmAdapter> = {}
/** Transactions that workers began to send. */
let begun = 0

beforeAll(async () => {
  rail = await openEthereum({
    wei: parseEther('500'),
    owners: ['alice', ''],
    wrap: (adapter) => {
      const real = adapter as EvmAdapter
      return replacing(() => ({
        async broadcast(bytes: string) {
          begun++
          return (fault.broadcast ?? real.broadcast)(bytes)
        },
        ...(fault.outcome ? { outcome: fault.outcome } : {}),
      }))(adapter)
    },
  })
  stage = rail.stage
})
afterEach(async () => {
  fault = {}
  await stage.signer.stop()
})
afterAll(() => rail?.close())

let recipients = 0
const recipient = () =>
  `0x${(0x2000_0000_0000n + BigInt(++recipients)).toString(16).padStart(40, '2')}` as const
const ask = (to: string) =>
  stage.request({ network: 'ethereum', coin: 'eth', amount: '1', to_address: to, user_reference: 'alice' })
const paused = async (id: string) => (await stage.read(id)).waiting
const PAUSED = { code: 'SETTLEMENT_PAUSED', reason: 'a laptop was stolen' }
/** Signs what a signer claimed, and sends the answer. */
const answer = async (request: SigningRequest | undefined) => {
  if (!request) throw new Error('nothing was claimed')
  await stage.signer.answer({ ...(await stage.signer.sign(request.payload)), request_id: request.id })
}
const balanceOf = (address: string) => rail.reader.getBalance({ address: address as `0x${string}` })

test('builds nothing, offers nothing to the signer and says why, until two people resume', async () => {
  await pauseSettlement(stage)
  const to = recipient()
  const id = await ask(to)
  await stage.approve(id)
  await stage.untilView(id, ({ stage: at, waiting }) => at === 'building' && waiting !== null)
  expect(await paused(id)).toMatchObject(PAUSED)
  expect((await stage.signer.claim()).requests).toEqual([])
  const { sql } = stage.api.database
  expect(await sql`SELECT FROM attempts WHERE payout_id = ${id}`).toHaveLength(0)
  stage.signer.run()
  await resumeSettlement(stage)
  expect(await stage.until(id, 'confirmed')).toMatchObject({ waiting: null })
  expect(await balanceOf(to)).toBe(parseEther('1'))
})

test('takes a request that no signer has claimed out of its reach, and shows the pause at once', async () => {
  const to = recipient()
  const id = await ask(to)
  await stage.approve(id)
  await stage.until(id, 'pending_signature')
  const { json } = await pauseSettlement(stage)
  expect(json.data).toMatchObject({ paused: true, sending: 0 })
  expect(await paused(id)).toMatchObject({ ...PAUSED, since: json.data.pauses[0].since })
  expect((await stage.signer.claim()).requests).toEqual([])
  await resumeSettlement(stage)
  await stage.untilView(id, ({ waiting }) => waiting?.code !== 'SETTLEMENT_PAUSED')
  stage.signer.run()
  await stage.until(id, 'confirmed')
  expect(await balanceOf(to)).toBe(parseEther('1'))
})

test('does not send what a signer signed during the pause', async () => {
  const to = recipient()
  const id = await ask(to)
  await stage.approve(id)
  await stage.until(id, 'pending_signature')
  const [request] = (await stage.signer.claim(5)).requests
  const before = begun
  await pauseSettlement(stage)
  await answer(request)
  await stage.until(id, 'signed')
  await sleep(2_000)
  expect(await stage.read(id)).toMatchObject({ stage: 'signed', waiting: PAUSED })
  expect(begun).toBe(before)
  expect(await balanceOf(to)).toBe(0n)
  await resumeSettlement(stage)
  await stage.until(id, 'confirmed')
  expect(await balanceOf(to)).toBe(parseEther('1'))
})

test('answers only when what was being sent has been sent', async () => {
  const real = stage.adapters.get('ethereum') as EvmAdapter
  let sent = false
  const to = recipient()
  const id = await ask(to)
  let begins = () => {}
  const beginning = new Promise<void>((resolve) => {
    begins = resolve
  })
  fault = {
    async broadcast(bytes) {
      begins()
      await sleep(1_500)
      fault = {}
      const outcome = await real.broadcast(bytes)
      sent = true
      return outcome
    },
  }
  stage.signer.run()
  await stage.approve(id)
  await beginning
  const { json } = await pauseSettlement(stage)
  expect({ sent, sending: json.data.sending }).toEqual({ sent: true, sending: 0 })
  // It is on the chain, so it is followed to its end.
  expect(await stage.until(id, 'confirmed')).toMatchObject({ waiting: null })
  await resumeSettlement(stage)
})

test('begins to send nothing after the answer, whenever it is asked for', async () => {
  stage.signer.run()
  const ids = await Promise.all(Array.from({ length: 12 }, () => ask(recipient())))
  const approving = Promise.all(ids.map((id) => stage.approve(id)))
  for (let round = 0; round < 4; round++) {
    await sleep(150 * round)
    await pauseSettlement(stage)
    const before = begun
    await sleep(700)
    expect(begun).toBe(before)
    await approving
    await resumeSettlement(stage)
    await expect
      .poll(async () => (await stage.api.call({ path: '/api/v1/settlement' })).json.data.paused, {
        timeout: 10_000,
      })
      .toBe(false)
  }
  for (const id of ids) await stage.until(id, 'confirmed', 60)
}, 120_000)

test('does not send a forgotten transaction again, and still sends what cancels it', async () => {
  stage.signer.run()
  await rail.mining(false)
  const to = recipient()
  const id = await ask(to)
  await stage.approve(id)
  const { transaction_hash } = await stage.until(id, 'confirming')
  await pauseSettlement(stage)
  await rail.anvil.call('anvil_dropTransaction', transaction_hash)
  await stage.untilView(id, ({ waiting }) => waiting?.code === 'SETTLEMENT_PAUSED')
  const { address } = await stage.wallet('ethereum', 'hot')
  const count = (blockTag: 'latest' | 'pending') =>
    rail.reader.getTransactionCount({ address: address as `0x${string}`, blockTag })
  expect(await count('pending')).toBe(await count('latest'))
  const cancelled = await stage.api.call({
    method: 'POST',
    path: `/api/v1/withdrawals/${id}/cancel-transaction`,
    body: { reason: 'it must not be paid' },
    key: stage.people[2].key,
  })
  expect(cancelled.status).toBe(200)
  await rail.mining(true)
  await stage.until(id, 'cancelled', 60)
  expect(await balanceOf(to)).toBe(0n)
  await resumeSettlement(stage)
}, 120_000)

test('credits what is paid to a merchant that is suspended, on a rail that is off', async () => {
  const { json } = await stage.api.call({
    method: 'POST',
    path: '/api/v1/addresses',
    body: { user_reference: 'carol', network: 'ethereum' },
  })
  const { sql } = stage.api.database
  const decision = {
    merchantId: stage.api.merchantId,
    reason: 'a test',
    evidence: null,
    actor: 'system:test',
  }
  const eth = { network: 'ethereum', coin: 'eth' }
  await inTransaction(sql, async (tx) => {
    await decideRail(tx, { ...decision, ...eth, enabled: false })
    await suspendMerchant(tx, decision)
  })
  await creditAsWorkflow(stage, rail.temporal, await rail.send(json.data.address, parseEther('2')))
  expect(await stage.balance('ethereum', 'eth', 'available', 'carol')).toBe(-parseEther('2'))
  await inTransaction(sql, async (tx) => {
    await resumeMerchant(tx, decision)
    await decideRail(tx, { ...decision, ...eth, enabled: true })
  })
})
