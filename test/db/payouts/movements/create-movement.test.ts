/** Creating movements: one sweep at a time, with its fee held. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { closeUnpaid } from '../../../../db/payouts/close-unpaid.js'
import {
  createMovement,
  type NewMovement,
  NO_APPROVAL,
} from '../../../../db/payouts/movements/create-movement.js'
import { takeGasBudget } from '../../../../db/payouts/movements/gas-budget.js'
import { noteBalance } from '../../../../db/payouts/movements/note-balance.js'
import { lockWithdrawal } from '../../../../db/payouts/payout-row.js'
import { cancelWithdrawal } from '../../../../db/payouts/withdrawals/cancel-withdrawal.js'
import { findCoin, findNetwork } from '../../../../domain/chain/network.js'
import { type Stage, startStage } from '../../../stage/start-stage.js'
import { testNetworks } from '../../../stage/test-networks.js'

const networks = testNetworks({ ETHEREUM_ENABLED: 'true' })
const network = findNetwork(networks, 'ethereum')
const eth = findCoin(network, 'eth')
const MILLI = 10n ** 15n
let stage: Stage
beforeAll(async () => {
  stage = await startStage({ networks })
  await stage.credit('ethereum', 'eth', '', 1_000n * MILLI)
})
afterAll(() => stage?.close())

async function addresses(count: number): Promise<{ id: string; address: string }[]> {
  const made = []
  for (let index = 0; index < count; index++) {
    const { json } = await stage.api.call({
      method: 'POST',
      path: '/api/v1/addresses',
      body: { user_reference: `user-${index}`, network: 'ethereum', new: true },
    })
    made.push({ id: json.data.id as string, address: json.data.address as string })
  }
  return made
}
const movement = (change: Partial<NewMovement>): NewMovement => ({
  kind: 'consolidation',
  merchantId: stage.api.merchantId,
  network,
  coin: eth,
  amount: 100n * MILLI,
  from: null,
  toAddress: '',
  feePayer: 'recipient',
  fee: MILLI,
  feeLimit: 2n * MILLI,
  requirement: NO_APPROVAL,
  details: { cause: 'test' },
  expiryMs: 60_000,
  ...change,
})
const make = (change: Partial<NewMovement>) =>
  stage.api.database.sql.begin((tx) => createMovement(tx, networks, movement(change)))
const held = () => stage.balance('ethereum', 'eth', 'reserved', '')

test('starts one of many concurrent sweeps, holds the fee alone, and releases it when the sweep pays nothing', async () => {
  const [from] = await addresses(1)
  const master = await stage.wallet('ethereum', 'master')
  const made = await Promise.all(
    Array.from({ length: 12 }, () => make({ from: from ?? null, toAddress: master.address })),
  )
  const [id, ...others] = made.filter((each) => each !== null)
  expect(others).toEqual([])
  expect(await held()).toBe(-2n * MILLI)
  const { sql } = stage.api.database
  // A movement cannot be cancelled as if it were a withdrawal.
  await expect(
    cancelWithdrawal(sql, networks, { merchantId: stage.api.merchantId, id: id ?? '', actor: 'person:x' }),
  ).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await sql.begin(async (tx) => {
    await closeUnpaid(tx, networks, await lockWithdrawal(tx, id ?? ''), {
      to: 'failed',
      actor: 'test',
      failure: { code: 'TEST', message: 'it failed' },
    })
  })
  expect(await held()).toBe(0n)
  expect(await make({ from: from ?? null, toAddress: master.address })).not.toBeNull()
})

test('sweeps one of two coins of an address at a time, because the gas of the token is part of the balance', async () => {
  const [from] = await addresses(1)
  const master = await stage.wallet('ethereum', 'master')
  const sweep = { from: from ?? null, toAddress: master.address }
  const made = await Promise.all([
    make({ ...sweep, coin: findCoin(network, 'usdt'), feePayer: 'sender' }),
    make(sweep),
  ])
  expect(made.filter((each) => each !== null)).toHaveLength(1)
})

test('charges the fee to the merchant’s own account, as far as it has funds', async () => {
  const [from] = await addresses(1)
  const master = await stage.wallet('ethereum', 'master')
  await expect(
    make({ from: from ?? null, toAddress: master.address, feeLimit: 5_000n * MILLI }),
  ).rejects.toMatchObject({ code: 'INSUFFICIENT_BALANCE' })
})

test('calls it a movement in events and audit, and keeps it out of limits and lists of withdrawals', async () => {
  const [from] = await addresses(1)
  const master = await stage.wallet('ethereum', 'master')
  const id = await make({ from: from ?? null, toAddress: master.address })
  const { sql } = stage.api.database
  const [row] = await sql<
    { signer: string }[]
  >`SELECT intent ->> 'signer' AS signer FROM payouts WHERE id = ${id}`
  expect(row?.signer).toBe(stage.signer.signerId)
  const events = await sql<{ type: string; data: Record<string, unknown> }[]>`
    SELECT type, data FROM events WHERE subject = ${id}`
  expect(events).toMatchObject([
    {
      type: 'movement.status_changed',
      data: { id, kind: 'consolidation', previous_status: null, amount: '0.1' },
    },
  ])
  const audit = await sql<{ action: string; actor: string }[]>`
    SELECT action, actor FROM audit_log WHERE subject = ${id}`
  expect([...audit]).toEqual([{ action: 'movement.requested', actor: 'system:treasury' }])
  const { json } = await stage.api.call({ path: '/api/v1/withdrawals' })
  expect(json.data).toEqual([])
})

test('counts gas against the budget when it is promised, under races, and restores it only when nothing was paid', async () => {
  const { sql } = stage.api.database
  const gas = await stage.wallet('ethereum', 'gas')
  const targets = await addresses(10)
  const fund = (toAddress: string) =>
    sql.begin(async (tx) => {
      const cost = 10n * MILLI + 2n * MILLI
      const fits = await takeGasBudget(tx, stage.api.merchantId, network, cost, 50n * MILLI)
      return fits
        ? createMovement(
            tx,
            networks,
            movement({ kind: 'gas_funding', from: gas, toAddress, amount: 10n * MILLI, feePayer: 'sender' }),
          )
        : null
    })
  const made = (await Promise.all(targets.map(({ address }) => fund(address)))).filter(
    (each) => each !== null,
  )
  // 12 each, 50 in all.
  expect(made).toHaveLength(4)
  const [first, second] = made
  await sql`UPDATE payouts SET stage = 'failed' WHERE id = ${first ?? ''}`
  await sql`UPDATE payouts SET stage = 'confirmed', fee = 0 WHERE id = ${second ?? ''}`
  // 34 are promised or paid: one more fits, a second one does not.
  const [last, ...others] = await addresses(5)
  const again = await Promise.all(others.map(({ address }) => fund(address)))
  expect(again.filter((each) => each !== null)).toHaveLength(1)
  await sql`UPDATE payouts SET created_at = created_at - interval '25 hours' WHERE kind = 'gas_funding'`
  expect(await fund(last?.address ?? '')).not.toBeNull()
})

test('reports a wallet that could not pay as low, once, at every mark', async () => {
  const { sql } = stage.api.database
  const gas = await stage.wallet('ethereum', 'gas')
  // It never held any, and nothing was requested of it yet.
  expect(await noteBalance(sql, networks, gas.id, 'eth')).toBe(false)
  await Promise.all(Array.from({ length: 5 }, () => noteBalance(sql, networks, gas.id, 'eth', 'empty')))
  const events = await sql<{ data: Record<string, unknown> }[]>`
    SELECT data FROM events WHERE type = 'wallet.low_balance'`
  expect(events.map(({ data }) => data)).toMatchObject([
    { wallet_id: gas.id, kind: 'gas', network: 'ethereum', coin: 'eth', address: gas.address, balance: '0' },
  ])
})
