/** Parts of batches and movements that wait for a block: people help them along, and movements give way by themselves. */

import { setTimeout as sleep } from 'node:timers/promises'
import { createPublicClient, http, parseEther } from 'viem'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ChainAdapter, EvmAdapter } from '../../../chains/adapter.js'
import type { PayoutView } from '../../../db/payouts/read-payout-view.js'
import { evmClients } from '../../../local/parts/usdt.js'
import { onChain, untilFollowed } from '../../stage/rail-steps.js'
import { realSigner } from '../../stage/real-signer.js'
import { type Stage, startStage } from '../../stage/start-stage.js'
import { testNetworks } from '../../stage/test-networks.js'
import {
  creditAsWorkflow,
  movementsOf,
  untilMovement,
  untilQuiet,
  withTreasury,
} from '../../stage/treasury.js'
import { type TestAnvil, testAnvil } from '../../support/anvil.js'
import { type TestTemporal, testTemporal } from '../../support/temporal.js'

type Hex = `0x${string}`
interface World {
  readonly temporal: TestTemporal
  readonly anvil: TestAnvil
  readonly stage: Stage
  signer: { stop(): Promise<void> }
}
/** What the node says of a dearer transaction instead of building one. */
let tooDear = false

async function start(automatic: boolean): Promise<World> {
  const [temporal, anvil] = await Promise.all([testTemporal(), testAnvil({ mining: 1 })])
  const networks = withTreasury(
    testNetworks({
      ETHEREUM_ENABLED: 'true',
      ETHEREUM_RPC: anvil.rpc,
      REPLACE_AUTOMATICALLY: String(automatic),
    }),
    'ethereum',
    {
      automatic: false,
      consolidation: {
        least: { eth: parseEther('0.01') },
        worth: {},
        maxFeePercent: 20,
        retryMs: 500,
        expiryMs: 3_600_000,
      },
    },
  )
  const wrap = (adapter: ChainAdapter) =>
    new Proxy(adapter as EvmAdapter, {
      get(target, name) {
        if (name !== 'replace') return Reflect.get(target, name)
        const replace: EvmAdapter['replace'] = async (wanted) =>
          tooDear && wanted.purpose === 'pay'
            ? { kind: 'fee_too_high', fee: 10n ** 18n }
            : target.replace(wanted)
        return replace
      },
    })
  const stage = await startStage({ networks, temporal, wrap })
  stage.follow()
  await untilFollowed(stage)
  await stage.startWorker()
  const hot = await stage.wallet('ethereum', 'hot')
  const { wallet } = evmClients(anvil.rpc, anvil.chainId, anvil.faucetPrivateKey)
  await creditAsWorkflow(
    stage,
    temporal,
    await wallet.sendTransaction({ to: hot.address as Hex, value: parseEther('20') }),
  )
  return { temporal, anvil, stage, signer: stage.signer.run(realSigner(stage)) }
}
async function stop(world: World | undefined): Promise<void> {
  await world?.signer.stop()
  await world?.stage.close()
  await Promise.all([world?.anvil.stop(), world?.temporal.close()])
}
const mining = ({ anvil }: World, on: boolean) => anvil.call('evm_setIntervalMining', on ? 1 : 0)

async function call(world: World, method: string, path: string, body?: unknown, person = 1) {
  const key = world.stage.people[person as 0 | 1 | 2].key
  return world.stage.api.call({
    method,
    path: `/api/v1${path}`,
    key,
    ...(body === undefined ? {} : { body }),
  })
}
async function partsOf(world: World, batch: string): Promise<PayoutView[]> {
  const { status, json } = await call(world, 'GET', `/batches/${batch}/parts`)
  if (status !== 200) throw new Error(JSON.stringify(json))
  return json.data
}
async function untilPart(
  world: World,
  batch: string,
  holds: (part: PayoutView) => boolean,
): Promise<PayoutView> {
  let parts: PayoutView[] = []
  for (let i = 0; i < 600; i++) {
    parts = await partsOf(world, batch)
    const found = parts.find(holds)
    if (found) return found
    await sleep(50)
  }
  throw new Error(JSON.stringify(parts))
}
async function batchOf(world: World, to: string): Promise<string> {
  const { status, json } = await world.stage.createBatch({
    batch_withdrawal: {
      network: 'ethereum',
      coin: 'eth',
      outputs: [{ to_address: to, amount: '1' }],
    },
  })
  if (status !== 201) throw new Error(JSON.stringify(json))
  await world.stage.approve(json.data.id)
  return json.data.id
}
/** A movement of 2 ETH from a user's address that is sent and waits for a block. */
async function stuckSweep(
  world: World,
  user: string,
): Promise<{ id: string; from: string; addressId: string }> {
  const { json } = await world.stage.api.call({
    method: 'POST',
    path: '/api/v1/addresses',
    body: { user_reference: user, network: 'ethereum' },
  })
  const { address, id: addressId } = json.data
  const { wallet } = evmClients(world.anvil.rpc, world.anvil.chainId, world.anvil.faucetPrivateKey)
  const txid = await wallet.sendTransaction({ to: address, value: parseEther('2') })
  await creditAsWorkflow(world.stage, world.temporal, txid)
  await mining(world, false)
  const body = { network: 'ethereum', coin: 'eth', address_id: addressId }
  expect((await call(world, 'POST', '/movements/consolidate', body)).status).toBe(200)
  const { id } = await untilMovement(
    world.stage,
    (each) => each.from_address === address && each.stage === 'confirming',
  )
  return { id, from: address, addressId }
}
async function expectClosedBooks({ stage }: World): Promise<void> {
  const { books, chain } = await onChain(stage, 'ethereum', 'eth')
  expect(books).toBe(chain)
  expect(await stage.balance('ethereum', 'eth', 'reserved', '')).toBe(0n)
}
const balance = ({ anvil }: World, address: string) =>
  createPublicClient({ transport: http(anvil.rpc), cacheTime: 0 }).getBalance({ address: address as Hex })

describe('by people, with the scope `admin`', () => {
  let world: World
  beforeAll(async () => {
    world = await start(false)
  }, 120_000)
  afterAll(() => stop(world))

  test('a part of a batch is sped up, and cancelled by a transaction that pays nobody: its item is unpaid, the hold is back, and the next nonce is mined', async () => {
    await mining(world, false)
    const to = `0x${'a1'.repeat(20)}`
    const batch = await batchOf(world, to)
    const part = await untilPart(world, batch, (each) => each.stage === 'confirming')
    expect(part).toMatchObject({ kind: 'batch_part', batch_id: batch, items: [0] })
    const weak = await world.stage.api.newKey({
      personId: world.stage.people[1].id,
      scopes: ['read', 'withdrawals'],
    })
    const refused = await world.stage.api.call({
      method: 'POST',
      path: `/api/v1/parts/${part.id}/speed-up`,
      body: {},
      key: weak,
    })
    expect([refused.status, refused.json.error.code]).toEqual([403, 'INSUFFICIENT_SCOPE'])
    expect((await call(world, 'POST', `/parts/${part.id}/speed-up`, { priority: 'urgent' })).status).toBe(200)
    const faster = await untilPart(
      world,
      batch,
      (each) => each.attempts.filter((a) => a.state === 'broadcast').length === 2,
    )
    expect(faster.attempts[0]).toMatchObject({ cause: 'speed_up', purpose: 'pay' })
    // Who asked for the batch cannot decide alone that it is not paid.
    const asker = await call(world, 'POST', `/parts/${part.id}/cancel-transaction`, { reason: 'stuck' }, 0)
    expect(asker.json.error.code).toBe('INITIATOR_CANNOT_APPROVE')
    const cancelled = await call(world, 'POST', `/parts/${part.id}/cancel-transaction`, { reason: 'stuck' })
    expect([cancelled.status, cancelled.json.data.cancellation.reason]).toEqual([200, 'stuck'])
    await untilPart(world, batch, (each) =>
      each.attempts.some((a) => a.purpose === 'cancel' && a.state === 'broadcast'),
    )
    const next = await batchOf(world, `0x${'a2'.repeat(20)}`)
    await mining(world, true)
    const view = await world.stage.untilBatch(batch, 'cancelled')
    expect(view.items[0]).toMatchObject({ status: 'cancelled', failure: { code: 'CANCELLED' } })
    await world.stage.untilBatch(next, 'confirmed')
    expect(await balance(world, to)).toBe(0n)
    expect(await world.stage.balance('ethereum', 'eth', 'reserved', '')).toBe(0n)
    await expectClosedBooks(world)
  }, 120_000)

  test('a movement is sped up and cancelled, and what it was to move is moved by the next one', async () => {
    const { id, from } = await stuckSweep(world, 'mover')
    expect((await call(world, 'POST', `/movements/${id}/speed-up`, {})).json.data).toMatchObject({
      id,
      kind: 'consolidation',
      batch_id: null,
    })
    await sleep(1_500)
    expect(
      (await call(world, 'POST', `/movements/${id}/cancel-transaction`, { reason: 'too dear' })).status,
    ).toBe(200)
    const attempts = () => world.stage.api.database.sql<{ cause: string; purpose: string; state: string }[]>`
      SELECT cause, purpose, state FROM attempts WHERE payout_id = ${id} ORDER BY number`
    for (
      let i = 0;
      i < 200 && !(await attempts()).some((a) => a.purpose === 'cancel' && a.state === 'broadcast');
      i++
    ) {
      await sleep(50)
    }
    expect((await attempts()).map((each) => each.cause)).toEqual(['first', 'speed_up', 'cancel'])
    await mining(world, true)
    await untilMovement(world.stage, (each) => each.id === id && each.stage === 'cancelled')
    const { json } = await world.stage.api.call({ path: `/api/v1/addresses?user_reference=mover` })
    const body = { network: 'ethereum', coin: 'eth', address_id: json.data[0].id }
    for (let i = 0; i < 40; i++) {
      await call(world, 'POST', '/movements/consolidate', body)
      if (
        (await movementsOf(world.stage)).some(
          (each) => each.from_address === from && each.stage === 'confirmed',
        )
      )
        break
      await sleep(500)
    }
    await untilMovement(world.stage, (each) => each.from_address === from && each.stage === 'confirmed')
    await untilQuiet(world.stage)
    await expectClosedBooks(world)
  }, 120_000)

  test('a part that is marked for investigation is handed to no signer until it is cleared; another merchant finds none of it', async () => {
    await world.signer.stop()
    const batch = await batchOf(world, `0x${'a3'.repeat(20)}`)
    const part = await untilPart(world, batch, (each) => each.stage === 'pending_signature')
    const marked = await call(world, 'POST', `/parts/${part.id}/mark-for-investigation`, { reason: 'odd' })
    expect([marked.status, marked.json.data.investigation.reason]).toEqual([200, 'odd'])
    expect((await world.stage.signer.claim()).requests).toEqual([])
    const stranger = await world.stage.api.newKey({ merchantId: await world.stage.api.newMerchant() })
    const other = (path: string, body?: unknown) =>
      world.stage.api.call({
        path: `/api/v1${path}`,
        key: stranger,
        ...(body ? { method: 'POST', body } : {}),
      })
    expect((await other(`/batches/${batch}/parts`)).json.data ?? []).toEqual([])
    expect((await other(`/parts/${part.id}/clear-investigation`, { reason: 'x' })).status).not.toBe(200)
    // Each kind has a place of its own.
    expect(
      (await call(world, 'POST', `/movements/${part.id}/clear-investigation`, { reason: 'x' })).status,
    ).toBe(404)
    expect(
      (await call(world, 'POST', `/parts/${part.id}/clear-investigation`, { reason: 'fine' })).status,
    ).toBe(200)
    world.signer = world.stage.signer.run(realSigner(world.stage))
    await world.stage.untilBatch(batch, 'confirmed')
  }, 120_000)
})

describe('by itself', () => {
  let world: World
  beforeAll(async () => {
    world = await start(true)
  }, 120_000)
  afterAll(() => stop(world))

  test('a movement that lags and can be made no faster inside its limit is cancelled, and made again at the fees of then', async () => {
    tooDear = true
    const { id, from, addressId } = await stuckSweep(world, 'lagging')
    const cancelling = async () =>
      world.stage.api.database.sql<{ cancellation: { requested_by: string } | null; sent: boolean }[]>`
        SELECT cancellation, EXISTS (
          SELECT FROM attempts WHERE payout_id = payouts.id AND purpose = 'cancel' AND state = 'broadcast') AS sent
        FROM payouts WHERE id = ${id}`
    for (let i = 0; i < 300 && !(await cancelling())[0]?.sent; i++) await sleep(100)
    expect(await cancelling()).toMatchObject([
      { cancellation: { requested_by: 'system:treasury' }, sent: true },
    ])
    await mining(world, true)
    tooDear = false
    await untilMovement(world.stage, (each) => each.id === id && each.stage === 'cancelled')
    const body = { network: 'ethereum', coin: 'eth', address_id: addressId }
    for (let i = 0; i < 40; i++) {
      await call(world, 'POST', '/movements/consolidate', body)
      if (
        (await movementsOf(world.stage)).some(
          (each) => each.from_address === from && each.stage === 'confirmed',
        )
      )
        break
      await sleep(500)
    }
    await untilMovement(world.stage, (each) => each.from_address === from && each.stage === 'confirmed')
    await untilQuiet(world.stage)
    await expectClosedBooks(world)
  }, 120_000)

  test('a withdrawal that lags at its limit is not cancelled: people approved it, and people decide', async () => {
    tooDear = true
    await mining(world, false)
    const to = `0x${'b1'.repeat(20)}`
    const { json } = await world.stage.create({
      network: 'ethereum',
      coin: 'eth',
      amount: '1',
      to_address: to,
    })
    await world.stage.approve(json.data.id)
    await world.stage.until(json.data.id, 'confirming')
    for (let i = 0; i < 200; i++) {
      if ((await world.stage.read(json.data.id)).waiting?.code === 'FEE_LIMIT_REACHED') break
      await sleep(50)
    }
    expect(await world.stage.read(json.data.id)).toMatchObject({
      cancellation: null,
      waiting: { code: 'FEE_LIMIT_REACHED' },
    })
    tooDear = false
    await mining(world, true)
    await world.stage.until(json.data.id, 'confirmed')
  }, 120_000)
})
