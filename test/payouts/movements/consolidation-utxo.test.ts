/** Consolidations on Bitcoin: many small outputs become one. */

import { setTimeout as sleep } from 'node:timers/promises'
import { Psbt, Transaction } from 'bitcoinjs-lib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { UtxoAdapter } from '../../../chains/adapter.js'
import { type BitcoinRail, openBitcoin } from '../../stage/open-bitcoin.js'
import { addressOf, availableTo } from '../../stage/rail-steps.js'
import { realSigner } from '../../stage/real-signer.js'
import type { Stage } from '../../stage/start-stage.js'
import {
  consolidated,
  creditAsWorkflow,
  expectBooksToBeTheChain,
  movementsOf,
  recordHistory,
  untilMovement,
  untilQuiet,
  withTreasury,
} from '../../stage/treasury.js'

const SMALL = 1_000_000n
let rail: BitcoinRail
let stage: Stage
let adapter: UtxoAdapter
/** Fee rate in sat/vB. `null`: what the node says. */
let rate: number | null = null

beforeAll(async () => {
  rail = await openBitcoin({
    wrap: (real) =>
      new Proxy(real, {
        get: (target, name) =>
          name === 'feeRate' && rate !== null ? async () => rate : Reflect.get(target, name),
      }),
    change: (networks) =>
      withTreasury(networks, 'bitcoin', {
        consolidation: { least: {}, worth: {}, maxFeePercent: 10, retryMs: 1_000, expiryMs: 3_600_000 },
        outputs: { maxFeeRate: 8, maxFeePercent: 10, small: SMALL, count: 6 },
      }),
  })
  ;({ stage, adapter } = rail)
}, 120_000)
afterAll(() => rail?.close())

let looks = 0
const look = (name: string | null = null) =>
  recordHistory(rail.temporal, 'rebalance', `look-btc-${++looks}`, name)
/** Pays small amounts to fresh addresses of a user, credited. */
async function deposit(user: string, amounts: readonly bigint[]): Promise<void> {
  const outputs = []
  for (const amount of amounts) outputs.push({ address: await addressOf(stage, 'bitcoin', user), amount })
  await creditAsWorkflow(stage, rail.temporal, await rail.bitcoin.faucet.pay(outputs))
}
const consolidations = async () => (await movementsOf(stage)).filter((each) => each.kind === 'consolidation')

test('consolidates small outputs at the master wallet once the network’s fees are low, and not before', async () => {
  await deposit('alice', [200_000n, 300_000n, 400_000n, 50_000_000n])
  rate = 2
  await look()
  await sleep(1_500)
  // Three are few.
  expect(await consolidations()).toEqual([])
  await deposit('bob', [150_000n, 250_000n, 350_000n, 450_000n])
  rate = 9
  await look()
  await sleep(1_500)
  // There are enough of them, but the fee is too high.
  expect(await consolidations()).toEqual([])

  rate = 2
  stage.signer.run(realSigner(stage))
  const deposits = (await stage.api.database.sql`SELECT 1 FROM deposits`).length
  const own = await stage.balance('bitcoin', 'btc', 'available', '')
  await look('gathers')
  const moved = await untilMovement(
    stage,
    (each) => each.kind === 'consolidation' && each.stage === 'confirmed',
  )
  await consolidated(rail.temporal, 'bitcoin', 'btc', stage.api.merchantId, 'outputs')
  await untilQuiet(stage)
  expect(moved).toMatchObject({ amount: '0.021', required_approvals: 0, fee_coin: 'btc' })

  const master = await stage.wallet('bitcoin', 'master')
  const [attempt] = await stage.api.database.sql<{ payload: { psbt: string }; signed_transaction: string }[]>`
    SELECT payload, signed_transaction FROM attempts WHERE payout_id = ${moved.id}`
  const transaction = Transaction.fromHex(attempt?.signed_transaction ?? '')
  expect(transaction.ins).toHaveLength(7)
  expect(transaction.outs).toHaveLength(1)
  const psbt = Psbt.fromBase64(attempt?.payload.psbt ?? '')
  expect(psbt.data.inputs.every((input) => (input.witnessUtxo?.value ?? SMALL) < SMALL)).toBe(true)
  const fee = 2_100_000n - BigInt(transaction.outs[0]?.value ?? 0)
  expect(moved.fee).toBe(`0.${fee.toString().padStart(8, '0')}`.replace(/0+$/, ''))
  expect(await adapter.balance(master.address, 'btc')).toBe(2_100_000n - fee)
  // Users have what they had, the merchant’s own account bore the fee, and nothing came from outside.
  expect(await availableTo(stage, 'bitcoin', 'btc', 'alice')).toBe('0.509')
  expect(await availableTo(stage, 'bitcoin', 'btc', 'bob')).toBe('0.012')
  expect(await stage.balance('bitcoin', 'btc', 'available', '')).toBe(own + fee)
  expect((await stage.api.database.sql`SELECT 1 FROM deposits`).length).toBe(deposits)
  await expectBooksToBeTheChain(stage, 'bitcoin')

  // One output is left, so there is nothing to consolidate.
  await look()
  await untilQuiet(stage)
  expect(await consolidations()).toHaveLength(1)
})

test('never spends an output that a payout has reserved, and needs only a few on request', async () => {
  await stage.signer.stop()
  await deposit('carol', [400_000n, 500_000n, 600_000n])
  // A withdrawal that is not signed yet keeps what it spends.
  const { json } = await stage.create({
    network: 'bitcoin',
    coin: 'btc',
    amount: '0.009',
    to_address: rail.bitcoin.faucet.address,
    user_reference: 'carol',
  })
  await stage.approve(json.data.id)
  await stage.until(json.data.id, 'pending_signature')
  const reserved = await stage.api.database.sql<{ outpoint: string }[]>`
    SELECT txid || ':' || vout AS outpoint FROM utxo_reservations WHERE released_at IS NULL`
  expect(reserved.length).toBeGreaterThan(0)
  rate = 2
  const asked = await stage.api.call({
    method: 'POST',
    path: '/api/v1/movements/consolidate',
    body: { network: 'bitcoin' },
  })
  expect(asked.json.data.consolidations).toEqual([
    {
      network: 'bitcoin',
      coin: 'btc',
      address_id: null,
      workflow_id: `consolidation:bitcoin:btc:${stage.api.merchantId}`,
    },
  ])
  stage.signer.run(realSigner(stage))
  await stage.until(json.data.id, 'confirmed', 60)
  await consolidated(rail.temporal, 'bitcoin', 'btc', stage.api.merchantId)
  await untilQuiet(stage)
  const spends = await stage.api.database.sql<{ kind: string; outpoint: string }[]>`
    SELECT withdrawal.kind, input ->> 'txid' || ':' || (input ->> 'vout') AS outpoint
    FROM attempts attempt JOIN payouts withdrawal ON withdrawal.id = attempt.payout_id,
         jsonb_array_elements(attempt.inputs) AS input
    WHERE attempt.state = 'final'`
  expect(new Set(spends.map((each) => each.outpoint)).size).toBe(spends.length)
  const gathered = spends.filter((each) => each.kind === 'consolidation').map((each) => each.outpoint)
  expect(gathered.filter((each) => reserved.some(({ outpoint }) => outpoint === each))).toEqual([])
  await expectBooksToBeTheChain(stage, 'bitcoin')
})
