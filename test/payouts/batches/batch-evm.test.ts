/** Batches on an EVM chain, from the request to exact books. */

import { parseEther } from 'viem'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { evmClients, USDT_ABI } from '../../../local/parts/usdt.js'
import { type EthereumRail, openEthereum } from '../../stage/open-ethereum.js'
import { realSigner } from '../../stage/real-signer.js'
import type { Stage } from '../../stage/start-stage.js'

const ITEMS = 25
const BLACKLISTED = 7
let rail: EthereumRail
let stage: Stage

beforeAll(async () => {
  rail = await openEthereum({ wei: parseEther('100'), usdt: 1_000_000_000n })
  stage = rail.stage
})
afterEach(() => stage.signer.stop())
afterAll(() => rail?.close())

const address = (number: number) =>
  `0x${(0xbbbb_0000_0000n + BigInt(number)).toString(16).padStart(40, '3')}` as const
const ask = async (coin: string, outputs: { to_address: string; amount: string }[]): Promise<string> => {
  const { status, json } = await stage.createBatch({
    batch_withdrawal: { network: 'ethereum', coin, outputs },
  })
  if (status !== 201) throw new Error(JSON.stringify(json))
  return json.data.id
}
/** Expects that the books say about the wallet what the chain says, and that nothing is held. */
async function expectBooksToMatch(): Promise<void> {
  const hot = await stage.wallet('ethereum', 'hot')
  expect(await stage.balance('ethereum', 'eth', 'chain', hot.id)).toBe(
    await rail.reader.getBalance({ address: hot.address as `0x${string}` }),
  )
  expect(await stage.balance('ethereum', 'usdt', 'chain', hot.id)).toBe(
    await rail.usdt.balanceOf(hot.address as `0x${string}`),
  )
  expect(await stage.balance('ethereum', 'usdt', 'reserved', '')).toBe(0n)
  expect(await stage.balance('ethereum', 'eth', 'reserved', '')).toBe(0n)
}

test('story 15: pays 24 of 25 token items with nonces in a row, and ejects the one that is blacklisted', async () => {
  const { wallet } = evmClients(rail.anvil.rpc, rail.anvil.chainId, rail.anvil.faucetPrivateKey)
  const hash = await wallet.writeContract({
    address: rail.usdt.address,
    abi: USDT_ABI,
    functionName: 'addBlackList',
    args: [address(BLACKLISTED)],
  })
  await rail.reader.waitForTransactionReceipt({ hash, pollingInterval: 100 })
  stage.signer.run(realSigner(stage))
  // The last row goes to the address of the first one: two rows stay two items.
  const outputs = Array.from({ length: ITEMS }, (_, index) => ({
    to_address: address(index === ITEMS - 1 ? 0 : index),
    amount: `${index + 1}.50`,
  }))
  const id = await ask('usdt', outputs)
  await stage.approve(id)
  const view = await stage.untilBatch(id, 'partially_confirmed', 120)
  expect(view).toMatchObject({
    stage: 'completed',
    counts: { confirmed: ITEMS - 1, failed: 1, processing: 0 },
    item_count: ITEMS,
  })
  const bad = view.items[BLACKLISTED]
  expect(bad).toMatchObject({ status: 'failed', transaction_hash: null, failure: { code: 'WOULD_REVERT' } })
  expect(bad?.failure?.message).toContain('blacklisted')
  const paid = view.items.filter((item) => item.index !== BLACKLISTED)
  expect(paid.every((item) => item.status === 'confirmed' && item.failure === null)).toBe(true)
  expect(new Set(paid.map((item) => item.transaction_hash)).size).toBe(ITEMS - 1)
  expect(await rail.usdt.balanceOf(address(0))).toBe(1_500_000n + 25_500_000n)
  expect(await rail.usdt.balanceOf(address(3))).toBe(4_500_000n)
  expect(await rail.usdt.balanceOf(address(BLACKLISTED))).toBe(0n)
  const nonces = await Promise.all(
    paid.map(async (item) => {
      const transaction = await rail.reader.getTransaction({ hash: item.transaction_hash as `0x${string}` })
      return transaction.nonce
    }),
  )
  expect([...nonces].sort((a, b) => a - b)).toEqual(Array.from({ length: ITEMS - 1 }, (_, index) => index))
  await expectBooksToMatch()

  const events = await stage.api.database.sql<
    { data: { status: string; counts: Record<string, number>; items: { index: number; status: string }[] } }[]
  >`SELECT data FROM events WHERE subject = ${id} AND type = 'batch.status_changed' ORDER BY position`
  // Facts that a merchant has who only listens: the last status of every item, and of the batch.
  const reported = new Map<number, string>()
  for (const { data } of events) for (const item of data.items) reported.set(item.index, item.status)
  expect([...reported].sort(([a], [b]) => a - b)).toEqual(view.items.map((item) => [item.index, item.status]))
  for (const { data } of events) {
    expect(Object.values(data.counts).reduce((sum, count) => sum + count, 0)).toBe(ITEMS)
  }
  expect(events.at(-1)?.data.status).toBe('partially_confirmed')
  const [others] = await stage.api.database.sql<{ events: number }[]>`
    SELECT count(*)::int AS events FROM events WHERE type = 'withdrawal.status_changed'`
  expect(others?.events).toBe(0)
  expect(await stage.ended(id, 'partial')).toMatchObject({
    stage: 'completed',
    status: 'partially_confirmed',
    counts: { confirmed: ITEMS - 1, failed: 1 },
  })
  await stage.ended((await parts(id))[0] ?? '', 'batch-part')
}, 240_000)

const parts = async (id: string) =>
  (
    await stage.api.database.sql<{ id: string }[]>`SELECT id FROM payouts WHERE batch_id = ${id} ORDER BY id`
  ).map((row) => row.id)

test('fails only the item that the signer refuses, and pays the others', async () => {
  const decide = realSigner(stage)
  stage.signer.run(async (request) =>
    request.items?.includes(1)
      ? { outcome: 'refused', code: 'POLICY_LIMIT', message: 'more than 1 ETH a day' }
      : decide(request),
  )
  const before = await stage.balance('ethereum', 'eth', 'available', '')
  const id = await ask(
    'eth',
    [30, 31, 32].map((number) => ({ to_address: address(number), amount: '0.5' })),
  )
  await stage.approve(id)
  const view = await stage.untilBatch(id, 'partially_confirmed', 60)
  expect(view.items.map((item) => [item.status, item.failure?.code])).toEqual([
    ['confirmed', undefined],
    ['failed', 'POLICY_LIMIT'],
    ['confirmed', undefined],
  ])
  expect(await rail.reader.getBalance({ address: address(31) })).toBe(0n)
  expect(await stage.balance('ethereum', 'eth', 'available', '')).toBe(
    before + parseEther('1') + parseEther(view.fee),
  )
  await expectBooksToMatch()
}, 120_000)

test('confirms a batch when every item is paid, also when its worker died', async () => {
  stage.signer.run(realSigner(stage))
  await stage.stopWorkers()
  const id = await ask(
    'eth',
    [40, 41, 42, 43].map((number) => ({ to_address: address(number), amount: '0.25' })),
  )
  let worker = await stage.startWorker()
  await stage.approve(id)
  while ((await stage.readBatch(id)).stage !== 'approved') await new Promise((done) => setTimeout(done, 20))
  await worker.stop()
  worker = await stage.startWorker()
  while ((await stage.readBatch(id)).counts.confirming === 0)
    await new Promise((done) => setTimeout(done, 20))
  await worker.stop()
  await stage.startWorker()
  const view = await stage.untilBatch(id, 'confirmed', 90)
  expect(view.counts).toMatchObject({ confirmed: 4, failed: 0 })
  for (const number of [40, 41, 42, 43]) {
    expect(await rail.reader.getBalance({ address: address(number) })).toBe(parseEther('0.25'))
  }
  expect(await stage.ended(id, 'confirmed')).toMatchObject({ stage: 'completed', status: 'confirmed' })
  await expectBooksToMatch()
}, 240_000)

test('ends the workflow of rejected, cancelled and expired batches', async () => {
  const outputs = [{ to_address: address(50), amount: '0.1' }]
  const [, first] = stage.people
  const rejected = await ask('eth', outputs)
  await stage.decide(rejected, first, 'reject')
  expect(await stage.ended(rejected, 'rejected')).toMatchObject({ stage: 'rejected', status: 'failed' })
  const cancelled = await ask('eth', outputs)
  await stage.api.call({ method: 'DELETE', path: `/api/v1/batches/${cancelled}` })
  expect(await stage.ended(cancelled, 'cancelled')).toMatchObject({ stage: 'cancelled', status: 'cancelled' })
  await expectBooksToMatch()
}, 60_000)
