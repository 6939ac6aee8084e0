/** Rebalancing hot wallets between their watermarks. */

import { setTimeout as sleep } from 'node:timers/promises'
import { parseEther } from 'viem'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type EthereumRail, openEthereum } from '../../stage/open-ethereum.js'
import { realSigner } from '../../stage/real-signer.js'
import { endPauses, pauseSettlement } from '../../stage/settlement.js'
import type { Stage } from '../../stage/start-stage.js'
import {
  creditAsWorkflow,
  expectBooksToBeTheChain,
  movementsOf,
  recordHistory,
  untilMovement,
  untilQuiet,
  withTreasury,
} from '../../stage/treasury.js'

type Hex = `0x${string}`
let rail: EthereumRail
let stage: Stage
let looks = 0
const STRANGER = '0x742d35Cc6634C0532925a3b844Bc454e4438f44e'

beforeAll(async () => {
  rail = await openEthereum({
    usdt: 0n,
    change: (networks) =>
      withTreasury(networks, 'ethereum', {
        rebalance: {
          eth: { low: parseEther('2'), high: parseEther('10') },
          usdt: { low: 100_000_000n, high: 1_000_000_000n },
        },
        lowBalance: {
          master: {},
          hot: { usdt: 50_000_000n },
          gas: { eth: parseEther('1') },
        },
      }),
  })
  stage = rail.stage
  await creditAsWorkflow(stage, rail.temporal, await payEth(await addressOf('gas'), '0.5'))
  stage.signer.run(realSigner(stage))
}, 120_000)
afterAll(() => rail?.close())

const addressOf = async (kind: 'hot' | 'master' | 'gas') =>
  (await stage.wallet('ethereum', kind)).address as Hex
const payEth = (to: Hex, amount: string): Promise<Hex> => rail.send(to, parseEther(amount))
/** Checks the wallets, as the Schedule does. */
const look = (name: string | null = null) =>
  recordHistory(rail.temporal, 'rebalance', `look-${++looks}`, name)
const metrics = () => stage.api.metrics()
const lowEvents = async () =>
  (
    await stage.api.database.sql<{ data: Record<string, unknown> }[]>`
      SELECT data FROM events WHERE type = 'wallet.low_balance' ORDER BY position`
  ).map(({ data }) => [data.kind, data.coin, data.balance, data.threshold])

test('moves funds above the high watermark to the master wallet automatically, down to the middle, but not during a pause', async () => {
  const hot = await addressOf('hot')
  await creditAsWorkflow(stage, rail.temporal, await payEth(hot, '20'))
  await creditAsWorkflow(stage, rail.temporal, await rail.usdt.mint(hot, 2_000_000_000n))
  await pauseSettlement(stage)
  await look()
  expect(await movementsOf(stage)).toEqual([])
  await endPauses(stage)
  await look('up')
  // A second check finds it open.
  await look()
  await untilMovement(stage, (each) => each.coin === 'eth' && each.stage === 'confirmed')
  await untilMovement(stage, (each) => each.coin === 'usdt' && each.stage === 'confirmed')
  await untilQuiet(stage)
  const movements = await movementsOf(stage, '&kind=rebalance')
  expect(movements.map(({ coin, amount, required_approvals }) => [coin, amount, required_approvals])).toEqual(
    [
      ['eth', '14', 0],
      ['usdt', '1450', 0],
    ],
  )
  expect(await rail.reader.getBalance({ address: await addressOf('master') })).toBe(parseEther('14'))
  expect(await rail.usdt.balanceOf(await addressOf('master'))).toBe(1_450_000_000n)
  await look()
  expect(await movementsOf(stage)).toHaveLength(2)
  await expectBooksToBeTheChain(stage, 'ethereum')
})

test('fills a hot wallet below its low watermark from the master wallet only after two people approved', async () => {
  // 550 USDT are in the hot wallet: 500 leave.
  const { json } = await stage.create({
    network: 'ethereum',
    coin: 'usdt',
    amount: '500',
    to_address: STRANGER,
  })
  await stage.approve(json.data.id)
  await stage.until(json.data.id, 'confirmed', 60)
  await look()
  const asked = await untilMovement(
    stage,
    (each) => each.kind === 'rebalance' && each.stage === 'pending_approval',
  )
  expect(asked).toMatchObject({ coin: 'usdt', amount: '500', required_approvals: 2, status: 'pending' })
  expect(asked.from_address).toBe(await addressOf('master'))
  expect(asked.to_address).toBe(await addressOf('hot'))

  const [, first, second] = stage.people
  expect((await stage.decide(asked.id, first)).status).toBe(201)
  await sleep(1_000)
  expect((await movementsOf(stage)).find(({ id }) => id === asked.id)?.stage).toBe('pending_approval')
  await look()
  expect((await stage.decide(asked.id, first)).json.error.code).toBe('ALREADY_DECIDED')
  expect((await stage.decide(asked.id, second)).status).toBe(201)
  const filled = await untilMovement(stage, ({ id, stage: at }) => id === asked.id && at === 'confirmed')
  expect(filled.approvals).toHaveLength(2)
  expect(await rail.usdt.balanceOf(await addressOf('hot'))).toBe(550_000_000n)
  await untilQuiet(stage)
  expect(await movementsOf(stage, '&kind=rebalance&coin=usdt')).toHaveLength(2)
  await expectBooksToBeTheChain(stage, 'ethereum')
})

test('ends at one rejection, releases the hold, and does not ask again at once', async () => {
  const { json } = await stage.create({
    network: 'ethereum',
    coin: 'usdt',
    amount: '520',
    to_address: STRANGER,
  })
  await stage.approve(json.data.id)
  await stage.until(json.data.id, 'confirmed', 60)
  await look()
  const asked = await untilMovement(stage, (each) => each.stage === 'pending_approval')
  const [, first] = stage.people
  expect((await stage.decide(asked.id, first, 'reject', { reason: 'not today' })).status).toBe(201)
  const rejected = await untilMovement(stage, ({ id, stage: at }) => id === asked.id && at === 'rejected')
  expect(rejected.failure?.code).toBe('REJECTED')
  await look()
  expect((await movementsOf(stage)).filter((each) => each.stage === 'pending_approval')).toEqual([])
  await expectBooksToBeTheChain(stage, 'ethereum')
})

test('takes no decisions about an automatic movement, and hides it from other merchants', async () => {
  const [moved] = await movementsOf(stage, '&kind=rebalance')
  const id = moved?.id ?? ''
  const [, first] = stage.people
  expect((await stage.decide(id, first)).json.error.code).toBe('ALREADY_DECIDED')
  expect((await stage.api.call({ path: `/api/v1/withdrawals/${id}` })).status).toBe(404)
  expect((await stage.api.call({ path: `/api/v1/movements/${id}` })).json.data).toMatchObject({
    id,
    kind: 'rebalance',
  })
  const key = await stage.api.newKey({ merchantId: await stage.api.newMerchant() })
  expect((await stage.api.call({ path: `/api/v1/movements/${id}`, key })).status).toBe(404)
  expect((await stage.api.call({ path: '/api/v1/movements', key })).json.data).toEqual([])
})

test('reports a low wallet once for each crossing, and again only after it was filled well above its mark', async () => {
  const [gas, hot] = [await addressOf('gas'), await addressOf('hot')]
  // The gas wallet had too little from the first check on; the hot wallet fell to 30 USDT. The master
  // wallet’s gas has no mark.
  expect(await lowEvents()).toEqual([
    ['gas', 'eth', '0.5', '1'],
    ['hot', 'usdt', '30', '50'],
  ])
  await creditAsWorkflow(stage, rail.temporal, await payEth(gas, '0.55'))
  await creditAsWorkflow(stage, rail.temporal, await rail.usdt.mint(hot, 25_000_000n))
  await look()
  // 1.05 and 55 are above the marks. For the gas wallet that is not enough above.
  const low = 'keyturn_wallets_low{network="ethereum",kind="gas",coin="eth"}'
  expect(await metrics()).toContain(`${low} 1`)
  expect(await metrics()).not.toContain('keyturn_wallets_low{network="ethereum",kind="hot"')
  await creditAsWorkflow(stage, rail.temporal, await payEth(gas, '0.05'))
  await look()
  expect(await metrics()).not.toContain(low)
  expect(await metrics()).toContain('keyturn_wallet_balance{network="ethereum",kind="gas",coin="eth"} 1.1')
  expect(await lowEvents()).toHaveLength(2)

  // Below its mark again: that is a further crossing.
  const { json } = await stage.create({
    network: 'ethereum',
    coin: 'usdt',
    amount: '20',
    to_address: STRANGER,
    from_address_id: (await stage.wallet('ethereum', 'hot')).id,
  })
  await stage.approve(json.data.id)
  await stage.until(json.data.id, 'confirmed', 60)
  await look()
  await look()
  expect((await lowEvents()).slice(2)).toEqual([['hot', 'usdt', '35', '50']])
})

test('spreads payouts over the hot wallets with enough funds, the one with the fewest open payouts first', async () => {
  const made: Hex[] = []
  for (let count = 0; count < 2; count++) {
    const { status, json } = await stage.api.call({
      method: 'POST',
      path: '/api/v1/wallets',
      body: { network: 'ethereum', kind: 'hot' },
    })
    expect(status).toBe(201)
    made.push(json.data.address)
  }
  expect(new Set([await addressOf('hot'), ...made]).size).toBe(3)
  const { json: listed } = await stage.api.call({ path: '/api/v1/wallets' })
  expect(listed.data.filter((each: { kind: string }) => each.kind === 'hot')).toHaveLength(3)
  for (const address of made) await creditAsWorkflow(stage, rail.temporal, await payEth(address, '6'))
  await stage.signer.stop()

  // The signer is away meanwhile, so all of them are open at once.
  const paid: string[] = []
  for (let count = 0; count < 6; count++) {
    const { json } = await stage.create({
      network: 'ethereum',
      coin: 'eth',
      amount: '1',
      to_address: STRANGER,
    })
    await stage.approve(json.data.id)
    paid.push((await stage.until(json.data.id, 'pending_signature')).from_address ?? '')
  }
  const perWallet = new Map<string, number>()
  for (const address of paid) perWallet.set(address, (perWallet.get(address) ?? 0) + 1)
  expect([...perWallet.values()]).toEqual([2, 2, 2])

  stage.signer.run(realSigner(stage))
  const { json } = await stage.api.call({ path: '/api/v1/withdrawals?limit=6' })
  for (const { id } of json.data) await stage.until(id, 'confirmed', 60)
  await expectBooksToBeTheChain(stage, 'ethereum')
})
