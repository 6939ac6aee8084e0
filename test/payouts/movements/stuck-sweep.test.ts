/**
 * Sweeps that are stuck, and sweeps that a reorg removes: each is paid once, and the books equal the chain.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { parseEther } from 'viem'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Movement } from '../../../wire/movement.js'
import { type EthereumRail, openEthereum } from '../../stage/open-ethereum.js'
import { availableTo } from '../../stage/rail-steps.js'
import { realSigner } from '../../stage/real-signer.js'
import { endPauses, pauseSettlement } from '../../stage/settlement.js'
import type { Stage } from '../../stage/start-stage.js'
import {
  creditAsWorkflow,
  expectBooksToBeTheChain,
  movementsOf,
  untilMovement,
  untilQuiet,
  withTreasury,
} from '../../stage/treasury.js'

type Hex = `0x${string}`
let rail: EthereumRail
let stage: Stage

beforeAll(async () => {
  rail = await openEthereum({
    usdt: 0n,
    variables: { REPLACE_AUTOMATICALLY: 'true' },
    change: (networks) => withTreasury(networks, 'ethereum', { automatic: false }),
  })
  stage = rail.stage
  stage.signer.run(realSigner(stage))
}, 120_000)
afterAll(() => rail?.close())

/** Creates a user’s address with 2 ETH that are credited. */
async function funded(user: string): Promise<{ id: string; address: Hex }> {
  const { json } = await stage.api.call({
    method: 'POST',
    path: '/api/v1/addresses',
    body: { user_reference: user, network: 'ethereum' },
  })
  const txid = await rail.send(json.data.address, parseEther('2'))
  await creditAsWorkflow(stage, rail.temporal, txid)
  return { id: json.data.id, address: json.data.address }
}

async function consolidate(addressId: string): Promise<void> {
  const { status } = await stage.api.call({
    method: 'POST',
    path: '/api/v1/movements/consolidate',
    body: { network: 'ethereum', coin: 'eth', address_id: addressId },
  })
  expect(status).toBe(200)
}

const attemptsOf = async (id: string) =>
  stage.api.database.sql<{ state: string; txid: string; max_fee: bigint; amount: bigint }[]>`
    SELECT state, txid, max_fee, amount FROM attempts WHERE payout_id = ${id} ORDER BY number`
const from = (address: string, stageOf: string) => (each: Movement) =>
  each.from_address === address && each.stage === stageOf

test('moves nothing unasked without `automatic`', async () => {
  const { address } = await funded('idle')
  await sleep(1_500)
  expect(await movementsOf(stage)).toEqual([])
  expect(await rail.reader.getBalance({ address })).toBe(parseEther('2'))
})

test('sweeps nothing while settlement is paused, also when it is asked for', async () => {
  const { id } = await funded('paused')
  await pauseSettlement(stage)
  await consolidate(id)
  const noteOf = async () => {
    const [row] = await stage.api.database.sql`
      SELECT note ->> 'code' AS code FROM consolidations WHERE address_id = ${id} AND coin = 'eth'`
    return row?.code
  }
  await expect.poll(noteOf, { timeout: 20_000 }).toBe('SETTLEMENT_PAUSED')
  expect(await movementsOf(stage)).toEqual([])
  await endPauses(stage)
})

test('replaces a stuck sweep by attempts at higher fees that send less, one of which is mined', async () => {
  const { id, address } = await funded('stuck')
  await rail.mining(false)
  await consolidate(id)
  const stuck = await untilMovement(stage, from(address, 'confirming'))
  for (let wait = 0; wait < 300 && (await attemptsOf(stuck.id)).length < 3; wait++) await sleep(100)
  const sent = await attemptsOf(stuck.id)
  expect(sent.length).toBeGreaterThanOrEqual(3)
  // Each attempt sends the whole balance less its fee.
  for (const { amount, max_fee } of sent) expect(amount + max_fee).toBe(parseEther('2'))
  await rail.mining(true)
  const moved = await untilMovement(stage, from(address, 'confirmed'))
  await untilQuiet(stage)
  const final = (await attemptsOf(stuck.id)).filter(({ state }) => state === 'final')
  expect(final.map(({ txid }) => txid)).toEqual([moved.transaction_hash])
  expect(await rail.reader.getTransactionCount({ address })).toBe(1)
  expect(await availableTo(stage, 'ethereum', 'eth', 'stuck')).toBe('2')
  await expectBooksToBeTheChain(stage, 'ethereum')
}, 120_000)

test('reverses and sends again a settled sweep whose block a reorg removed, and never creates it twice', async () => {
  const { id, address } = await funded('reorged')
  await consolidate(id)
  const first = await untilMovement(stage, from(address, 'confirmed'))
  const depth = Number(await rail.reader.getBlockNumber({ cacheTime: 0 })) - (first.block_number ?? 0) + 1
  await rail.anvil.call('anvil_reorg', depth, [])
  await untilMovement(
    stage,
    (each) => each.id === first.id && each.history.some(({ cause }) => cause.includes('left the chain')),
  )
  // A request meanwhile finds it open, not missing.
  await consolidate(id)
  const again = await untilMovement(
    stage,
    (each) => each.id === first.id && each.stage === 'confirmed' && each.confirmations >= 2,
  )
  await untilQuiet(stage)
  // If it was stuck meanwhile, an attempt at a higher fee with the same nonce took its place.
  const final = (await attemptsOf(first.id)).filter(({ state }) => state === 'final')
  expect(final.map(({ txid }) => txid)).toEqual([again.transaction_hash])
  expect((await movementsOf(stage)).filter((each) => each.from_address === address)).toHaveLength(1)
  expect(await rail.reader.getTransactionCount({ address })).toBe(1)
  await expectBooksToBeTheChain(stage, 'ethereum')
}, 120_000)
