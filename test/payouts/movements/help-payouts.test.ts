/**
 * People speed up, cancel and investigate parts of batches and movements that wait for a block, and the
 * platform cancels stuck movements.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { parseEther } from 'viem'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { EvmAdapter } from '../../../chains/adapter.js'
import type { Payout } from '../../../wire/payout.js'
import { type EthereumRail, openEthereum } from '../../stage/open-ethereum.js'
import { onChain } from '../../stage/rail-steps.js'
import { realSigner } from '../../stage/real-signer.js'
import {
  creditAsWorkflow,
  movementsOf,
  untilMovement,
  untilQuiet,
  withTreasury,
} from '../../stage/treasury.js'

type Hex = `0x${string}`
/** Answer of the node for a higher fee, instead of building the transaction. */
let feeTooHigh = false

async function start(automatic: boolean): Promise<EthereumRail> {
  const rail = await openEthereum({
    variables: { REPLACE_AUTOMATICALLY: String(automatic) },
    change: (networks) =>
      withTreasury(networks, 'ethereum', {
        automatic: false,
        consolidation: {
          least: { eth: parseEther('0.01') },
          worth: {},
          maxFeePercent: 20,
          retryMs: 500,
          expiryMs: 3_600_000,
        },
      }),
    wrap: (adapter) =>
      new Proxy(adapter as EvmAdapter, {
        get(target, name) {
          if (name !== 'replace') return Reflect.get(target, name)
          const replace: EvmAdapter['replace'] = async (wanted) =>
            feeTooHigh && wanted.purpose === 'pay'
              ? { kind: 'fee_too_high', fee: 10n ** 18n }
              : target.replace(wanted)
          return replace
        },
      }),
  })
  const { stage, temporal } = rail
  const hot = await stage.wallet('ethereum', 'hot')
  await creditAsWorkflow(stage, temporal, await rail.send(hot.address, parseEther('20')))
  stage.signer.run(realSigner(stage))
  return rail
}

async function call(rail: EthereumRail, method: string, path: string, body?: unknown, person = 1) {
  const key = rail.stage.people[person as 0 | 1 | 2].key
  return rail.stage.api.call({
    method,
    path: `/api/v1${path}`,
    key,
    ...(body === undefined ? {} : { body }),
  })
}
async function partsOf(rail: EthereumRail, batch: string): Promise<Payout[]> {
  const { status, json } = await call(rail, 'GET', `/batches/${batch}/parts`)
  if (status !== 200) throw new Error(JSON.stringify(json))
  return json.data
}
async function untilPart(
  rail: EthereumRail,
  batch: string,
  holds: (part: Payout) => boolean,
): Promise<Payout> {
  let parts: Payout[] = []
  for (let i = 0; i < 600; i++) {
    parts = await partsOf(rail, batch)
    const found = parts.find(holds)
    if (found) return found
    await sleep(50)
  }
  throw new Error(JSON.stringify(parts))
}
async function batchOf(rail: EthereumRail, to: string): Promise<string> {
  const { status, json } = await rail.stage.createBatch({
    batch_withdrawal: {
      network: 'ethereum',
      coin: 'eth',
      outputs: [{ to_address: to, amount: '1' }],
    },
  })
  if (status !== 201) throw new Error(JSON.stringify(json))
  await rail.stage.approve(json.data.id)
  return json.data.id
}
/** Creates a movement of 2 ETH from a user’s address that is sent and waits for a block. */
async function stuckSweep(
  rail: EthereumRail,
  user: string,
): Promise<{ id: string; from: string; addressId: string }> {
  const { json } = await rail.stage.api.call({
    method: 'POST',
    path: '/api/v1/addresses',
    body: { user_reference: user, network: 'ethereum' },
  })
  const { address, id: addressId } = json.data
  const txid = await rail.send(address, parseEther('2'))
  await creditAsWorkflow(rail.stage, rail.temporal, txid)
  await rail.mining(false)
  const body = { network: 'ethereum', coin: 'eth', address_id: addressId }
  expect((await call(rail, 'POST', '/movements/consolidate', body)).status).toBe(200)
  const { id } = await untilMovement(
    rail.stage,
    (each) => each.from_address === address && each.stage === 'confirming',
  )
  return { id, from: address, addressId }
}
async function expectClosedBooks({ stage }: EthereumRail): Promise<void> {
  const { books, chain } = await onChain(stage, 'ethereum', 'eth')
  expect(books).toBe(chain)
  expect(await stage.balance('ethereum', 'eth', 'reserved', '')).toBe(0n)
}
const balance = ({ reader }: EthereumRail, address: string) => reader.getBalance({ address: address as Hex })

describe('by people, with the scope `admin`', () => {
  let rail: EthereumRail
  beforeAll(async () => {
    rail = await start(false)
  }, 120_000)
  afterAll(() => rail?.close())

  test('speeds up a part of a batch, then cancels it: its item is unpaid, the hold is back, and the next nonce is mined', async () => {
    await rail.mining(false)
    const to = `0x${'a1'.repeat(20)}`
    const batch = await batchOf(rail, to)
    const part = await untilPart(rail, batch, (each) => each.stage === 'confirming')
    expect(part).toMatchObject({ kind: 'batch_part', batch_id: batch, items: [0] })
    const weak = await rail.stage.api.newKey({
      personId: rail.stage.people[1].id,
      scopes: ['read', 'withdrawals'],
    })
    const refused = await rail.stage.api.call({
      method: 'POST',
      path: `/api/v1/parts/${part.id}/speed-up`,
      body: {},
      key: weak,
    })
    expect([refused.status, refused.json.error.code]).toEqual([403, 'INSUFFICIENT_SCOPE'])
    expect((await call(rail, 'POST', `/parts/${part.id}/speed-up`, { priority: 'urgent' })).status).toBe(200)
    const faster = await untilPart(
      rail,
      batch,
      (each) => each.attempts.filter((a) => a.state === 'broadcast').length === 2,
    )
    expect(faster.attempts[0]).toMatchObject({ cause: 'speed_up', purpose: 'pay' })
    // The initiator of the batch cannot decide alone that it is not paid.
    const asker = await call(rail, 'POST', `/parts/${part.id}/cancel-transaction`, { reason: 'stuck' }, 0)
    expect(asker.json.error.code).toBe('INITIATOR_CANNOT_APPROVE')
    const cancelled = await call(rail, 'POST', `/parts/${part.id}/cancel-transaction`, { reason: 'stuck' })
    expect([cancelled.status, cancelled.json.data.cancellation.reason]).toEqual([200, 'stuck'])
    await untilPart(rail, batch, (each) =>
      each.attempts.some((a) => a.purpose === 'cancel' && a.state === 'broadcast'),
    )
    const next = await batchOf(rail, `0x${'a2'.repeat(20)}`)
    await rail.mining(true)
    const view = await rail.stage.untilBatch(batch, 'cancelled')
    expect(view.items[0]).toMatchObject({ status: 'cancelled', failure: { code: 'CANCELLED' } })
    await rail.stage.untilBatch(next, 'confirmed')
    expect(await balance(rail, to)).toBe(0n)
    expect(await rail.stage.balance('ethereum', 'eth', 'reserved', '')).toBe(0n)
    await expectClosedBooks(rail)
  }, 120_000)

  test('speeds up a movement, then cancels it, and moves its funds with the next one', async () => {
    const { id, from } = await stuckSweep(rail, 'mover')
    expect((await call(rail, 'POST', `/movements/${id}/speed-up`, {})).json.data).toMatchObject({
      id,
      kind: 'consolidation',
      batch_id: null,
    })
    await sleep(1_500)
    expect(
      (await call(rail, 'POST', `/movements/${id}/cancel-transaction`, { reason: 'too dear' })).status,
    ).toBe(200)
    const attempts = () => rail.stage.api.database.sql<{ cause: string; purpose: string; state: string }[]>`
      SELECT cause, purpose, state FROM attempts WHERE payout_id = ${id} ORDER BY number`
    for (
      let i = 0;
      i < 200 && !(await attempts()).some((a) => a.purpose === 'cancel' && a.state === 'broadcast');
      i++
    ) {
      await sleep(50)
    }
    expect((await attempts()).map((each) => each.cause)).toEqual(['first', 'speed_up', 'cancel'])
    await rail.mining(true)
    await untilMovement(rail.stage, (each) => each.id === id && each.stage === 'cancelled')
    const { json } = await rail.stage.api.call({ path: `/api/v1/addresses?user_reference=mover` })
    const body = { network: 'ethereum', coin: 'eth', address_id: json.data[0].id }
    for (let i = 0; i < 40; i++) {
      await call(rail, 'POST', '/movements/consolidate', body)
      if (
        (await movementsOf(rail.stage)).some(
          (each) => each.from_address === from && each.stage === 'confirmed',
        )
      )
        break
      await sleep(500)
    }
    await untilMovement(rail.stage, (each) => each.from_address === from && each.stage === 'confirmed')
    await untilQuiet(rail.stage)
    await expectClosedBooks(rail)
  }, 120_000)

  test('hands a part under investigation to no signer until it is cleared, and hides it from another merchant', async () => {
    await rail.stage.signer.stop()
    const batch = await batchOf(rail, `0x${'a3'.repeat(20)}`)
    const part = await untilPart(rail, batch, (each) => each.stage === 'pending_signature')
    const marked = await call(rail, 'POST', `/parts/${part.id}/mark-for-investigation`, { reason: 'odd' })
    expect([marked.status, marked.json.data.investigation.reason]).toEqual([200, 'odd'])
    expect((await rail.stage.signer.claim()).requests).toEqual([])
    const stranger = await rail.stage.api.newKey({ merchantId: await rail.stage.api.newMerchant() })
    const other = (path: string, body?: unknown) =>
      rail.stage.api.call({
        path: `/api/v1${path}`,
        key: stranger,
        ...(body ? { method: 'POST', body } : {}),
      })
    expect((await other(`/batches/${batch}/parts`)).json.data ?? []).toEqual([])
    expect((await other(`/parts/${part.id}/clear-investigation`, { reason: 'x' })).status).not.toBe(200)
    // Each kind has its own path.
    expect(
      (await call(rail, 'POST', `/movements/${part.id}/clear-investigation`, { reason: 'x' })).status,
    ).toBe(404)
    expect(
      (await call(rail, 'POST', `/parts/${part.id}/clear-investigation`, { reason: 'fine' })).status,
    ).toBe(200)
    rail.stage.signer.run(realSigner(rail.stage))
    await rail.stage.untilBatch(batch, 'confirmed')
  }, 120_000)
})

describe('automatically', () => {
  let rail: EthereumRail
  beforeAll(async () => {
    rail = await start(true)
  }, 120_000)
  afterAll(() => rail?.close())

  test('cancels a stuck movement that no fee inside its limit can speed up, and creates it again at the fees of that time', async () => {
    feeTooHigh = true
    const { id, from, addressId } = await stuckSweep(rail, 'lagging')
    const cancelling = async () =>
      rail.stage.api.database.sql<{ cancellation: { requested_by: string } | null; sent: boolean }[]>`
        SELECT cancellation, EXISTS (
          SELECT FROM attempts WHERE payout_id = payouts.id AND purpose = 'cancel' AND state = 'broadcast') AS sent
        FROM payouts WHERE id = ${id}`
    for (let i = 0; i < 300 && !(await cancelling())[0]?.sent; i++) await sleep(100)
    expect(await cancelling()).toMatchObject([
      { cancellation: { requested_by: 'system:treasury' }, sent: true },
    ])
    await rail.mining(true)
    feeTooHigh = false
    await untilMovement(rail.stage, (each) => each.id === id && each.stage === 'cancelled')
    const body = { network: 'ethereum', coin: 'eth', address_id: addressId }
    for (let i = 0; i < 40; i++) {
      await call(rail, 'POST', '/movements/consolidate', body)
      if (
        (await movementsOf(rail.stage)).some(
          (each) => each.from_address === from && each.stage === 'confirmed',
        )
      )
        break
      await sleep(500)
    }
    await untilMovement(rail.stage, (each) => each.from_address === from && each.stage === 'confirmed')
    await untilQuiet(rail.stage)
    await expectClosedBooks(rail)
  }, 120_000)

  test('does not cancel a withdrawal that is stuck at its limit, because people approved it', async () => {
    feeTooHigh = true
    await rail.mining(false)
    const to = `0x${'b1'.repeat(20)}`
    const { json } = await rail.stage.create({
      network: 'ethereum',
      coin: 'eth',
      amount: '1',
      to_address: to,
    })
    await rail.stage.approve(json.data.id)
    await rail.stage.until(json.data.id, 'confirming')
    for (let i = 0; i < 200; i++) {
      if ((await rail.stage.read(json.data.id)).waiting?.code === 'FEE_LIMIT_REACHED') break
      await sleep(50)
    }
    expect(await rail.stage.read(json.data.id)).toMatchObject({
      cancellation: null,
      waiting: { code: 'FEE_LIMIT_REACHED' },
    })
    feeTooHigh = false
    await rail.mining(true)
    await rail.stage.until(json.data.id, 'confirmed')
  }, 120_000)
})
