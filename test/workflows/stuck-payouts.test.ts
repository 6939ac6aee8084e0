/**
 * Stuck payouts are replaced automatically, inside what people approved; one at the limit says so and can be
 * cancelled.
 */

import { parseEther } from 'viem'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { EvmPayload } from '../../domain/signing/signer-protocol.js'
import { type EthereumRail, openEthereum } from '../stage/open-ethereum.js'
import { untilBroadcast } from '../stage/rail-steps.js'
import { realSigner } from '../stage/real-signer.js'
import type { Stage } from '../stage/start-stage.js'

let rail: EthereumRail
let stage: Stage

beforeAll(async () => {
  rail = await openEthereum({ wei: parseEther('200'), variables: { REPLACE_AUTOMATICALLY: 'true' } })
  stage = rail.stage
})
afterEach(async () => {
  await rail.mining(true)
  await stage.signer.stop()
})
afterAll(() => rail?.close())

const RECIPIENT = `0x${'3'.repeat(40)}` as const

async function inMempool(): Promise<string> {
  await rail.mining(false)
  return untilBroadcast(stage, { network: 'ethereum', coin: 'eth', amount: '1', to_address: RECIPIENT })
}

const price = (request: { payload: unknown }) => BigInt((request.payload as EvmPayload).max_fee_per_gas)

test('replaces a stuck transaction again and again, each time with a fee an eighth higher, and pays once', async () => {
  stage.signer.run(realSigner(stage))
  const before = await rail.reader.getBalance({ address: RECIPIENT })
  const id = await inMempool()
  const waited = await stage.untilView(
    id,
    ({ attempts }) => attempts.length >= 3 && attempts[0]?.state === 'broadcast',
  )
  expect(waited.attempts.map(({ cause }) => cause)).toEqual([
    ...Array.from({ length: waited.attempts.length - 1 }, () => 'lagging'),
    'first',
  ])
  const prices = stage.signer.claimed.slice(-waited.attempts.length).map(price)
  prices.slice(1).forEach((each, index) => {
    expect(each * 8n).toBeGreaterThanOrEqual((prices[index] ?? 0n) * 9n)
  })
  await rail.mining(true)
  const view = await stage.until(id, 'confirmed')
  await stage.ended(id, 'lagging')
  expect(view.attempts.filter(({ state }) => state === 'final')).toHaveLength(1)
  expect((await rail.reader.getBalance({ address: RECIPIENT })) - before).toBe(parseEther('1'))
})

/** Raises the base fee so far above the cap of 500 gwei that no attempt can be mined. */
async function raiseBaseFee(): Promise<void> {
  await rail.anvil.call('anvil_setNextBlockBaseFeePerGas', `0x${(1_000n * 10n ** 9n).toString(16)}`)
  await rail.anvil.mine()
}

test('story 3: sends the same bytes while the base fee is above every cap, until it falls', async () => {
  stage.signer.run(realSigner(stage))
  const before = await rail.reader.getBalance({ address: RECIPIENT })
  const id = await inMempool()
  await raiseBaseFee()
  const stuck = await stage.untilView(id, ({ waiting }) => waiting?.code === 'FEE_LIMIT_REACHED')
  expect(stuck.waiting?.message).toMatch(/may have to cost [\d.]+ eth, more than the limit of [\d.]+ eth/)
  const count = stuck.attempts.length
  // The node evicts the transaction. When the price falls, the platform sends the same bytes again.
  const hash = stuck.transaction_hash
  await rail.anvil.call('anvil_dropTransaction', hash)
  await rail.anvil.call('anvil_setNextBlockBaseFeePerGas', `0x${(10n ** 6n).toString(16)}`)
  await rail.anvil.mine()
  await rail.mining(true)
  const view = await stage.until(id, 'confirmed')
  expect(view.attempts.length).toBeGreaterThanOrEqual(count)
  expect(view.attempts.filter(({ state }) => state === 'final')).toHaveLength(1)
  expect((await rail.reader.getBalance({ address: RECIPIENT })) - before).toBe(parseEther('1'))
})

test('story 3: cancels a payout inside the emergency cap, when its own cap allows no higher fee', async () => {
  stage.signer.run(realSigner(stage))
  const hot = await stage.wallet('ethereum', 'hot')
  const id = await inMempool()
  await raiseBaseFee()
  await stage.untilView(id, ({ waiting }) => waiting?.code === 'FEE_LIMIT_REACHED')
  const { status, json } = await stage.api.call({
    method: 'POST',
    path: `/api/v1/withdrawals/${id}/cancel-transaction`,
    key: stage.people[1].key,
    body: { reason: 'fees are too high' },
  })
  expect(status, JSON.stringify(json)).toBe(200)
  await stage.untilView(
    id,
    ({ attempts }) => attempts[0]?.purpose === 'cancel' && attempts[0].state === 'broadcast',
  )
  const last = stage.signer.claimed.at(-1)
  expect(last && price(last)).toBeGreaterThan(500n * 10n ** 9n)
  await rail.mining(true)
  const view = await stage.until(id, 'cancelled')
  expect(await stage.balance('ethereum', 'eth', 'chain', hot.id)).toBe(
    await rail.reader.getBalance({ address: hot.address as `0x${string}` }),
  )
  expect(parseEther(view.fee)).toBeGreaterThan(0n)
  expect(await stage.balance('ethereum', 'eth', 'reserved', '')).toBe(0n)
})
