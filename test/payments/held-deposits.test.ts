/** Payments whose deposits are held, too small, or not mature: the books decide what they are. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { confirmDeposit } from '../../db/deposits/confirm-deposit.js'
import { holdDeposit } from '../../db/deposits/hold-deposit.js'
import { advancePayment } from '../../db/payments/advance-payment.js'
import { parseAddress } from '../../domain/address/parse-address.js'
import type { Coin, Network } from '../../domain/chain/network.js'
import { formatAmount, parseAmount } from '../../domain/money.js'
import type { Payment } from '../../wire/payment.js'
import { networks, scan, settle } from '../stage/deposit-steps.js'
import { type PaymentStage, startPaymentStage } from '../stage/payments.js'

/** Blocks until a deposit is credited. */
const DEEP = 4

let stage: PaymentStage

/** Returns what the user may spend and what is kept aside, as the API shows it. */
async function creditOf(user: string, coin = stage.coin): Promise<{ available: string; reserved: string }> {
  const { json } = await stage.api.call({
    path: `/api/v1/balances?user_reference=${user}&network=${stage.network.name}&coin=${coin}`,
  })
  const { available, reserved } = json.data[0]
  return { available, reserved }
}

/** Pays a payment, in a block that is deep enough, and lets screening hold what arrived. @returns The deposit. */
async function payHeld({ address }: Payment, amount = '1', coin?: string): Promise<string> {
  const { sql } = stage.api.database
  const { txid } = stage.send(address, amount, coin)
  for (let block = 0; block < DEEP; block++) stage.model.mine()
  await stage.look()
  const [row] = await sql<{ id: string }[]>`SELECT id FROM deposits WHERE txid = ${txid}`
  const id = row?.id ?? ''
  await confirmDeposit(sql, networks, id)
  await holdDeposit(sql, networks, id, 'a review is needed')
  return id
}

async function decide(id: string, verdict: 'release' | 'reject'): Promise<void> {
  const { status } = await stage.api.call({
    method: 'POST',
    path: `/api/v1/deposits/${id}/${verdict}`,
    body: { reason: 'examined' },
  })
  expect(status).toBe(200)
}

describe.each(['bitcoin', 'ethereum'] as const)('on %s', (name) => {
  beforeAll(async () => {
    stage = await startPaymentStage(name)
  })
  afterAll(() => stage?.close())

  test('is paid while screening holds the deposit, and confirmed once a person releases it', async () => {
    const payment = await stage.open({ user_reference: 'released' })
    const id = await payHeld(payment)
    const held = { status: 'paid', flags: [], amount_detected: '1', amount_confirmed: '0' }
    expect(await stage.read(payment.payment_id)).toMatchObject(held)
    expect(await creditOf('released')).toEqual({ available: '0', reserved: '1' })
    // A held deposit is not gone, so the time that passes changes nothing.
    await stage.expire(payment.payment_id)
    expect(await stage.read(payment.payment_id)).toMatchObject(held)
    await decide(id, 'release')
    expect(await stage.read(payment.payment_id)).toMatchObject({
      status: 'confirmed',
      flags: [],
      amount_detected: '1',
      amount_confirmed: '1',
    })
    expect(await creditOf('released')).toEqual({ available: '1', reserved: '0' })
    expect(await stage.reported(payment.payment_id)).toEqual(['pending', 'paid', 'confirmed'])
  })

  test('waits again when a person rejects the deposit, and another one pays it', async () => {
    const payment = await stage.open({ user_reference: 'rejected' })
    const id = await payHeld(payment)
    await decide(id, 'reject')
    const waiting = await stage.read(payment.payment_id)
    expect(waiting).toMatchObject({
      status: 'pending',
      flags: [],
      amount_detected: '0',
      amount_confirmed: '0',
      amount_due: '1',
      paid_at: null,
      deposits: [{ id, status: 'held' }],
    })
    expect(waiting.history.at(-1)).toMatchObject({ status: 'pending', cause: { kind: 'deposit', id } })
    expect(await creditOf('rejected')).toEqual({ available: '0', reserved: '1' })
    const cancelled = await stage.api.call({
      method: 'POST',
      path: `/api/v1/payments/${payment.payment_id}/cancel`,
    })
    expect(cancelled.json.error.code).toBe('INVALID_STATE')

    stage.send(payment.address, '1')
    await stage.mine(DEEP)
    expect(await stage.read(payment.payment_id)).toMatchObject({
      status: 'confirmed',
      flags: [],
      amount_detected: '1',
    })
    expect(await creditOf('rejected')).toEqual({ available: '1', reserved: '1' })
    expect(await stage.reported(payment.payment_id)).toEqual([
      'pending',
      'paid',
      'pending',
      'paid',
      'confirmed',
    ])
  })

  test('expires at the rejection when its time is over, and can be issued again', async () => {
    const payment = await stage.open({ user_reference: 'rejected after the end' })
    const id = await payHeld(payment)
    await stage.expire(payment.payment_id)
    await decide(id, 'reject')
    expect(await stage.read(payment.payment_id)).toMatchObject({
      status: 'expired',
      flags: [],
      amount_detected: '0',
    })
    expect(await stage.exceptions(payment.payment_id)).toEqual([])
    const again = await stage.api.call({
      method: 'POST',
      path: `/api/v1/payments/${payment.payment_id}/reissue`,
      body: {},
    })
    expect(again.status).toBe(201)
  })

  test('asks for the rest when one of two deposits is rejected', async () => {
    const payment = await stage.open({ user_reference: 'one of two' })
    stage.send(payment.address, '0.5')
    await stage.mine(DEEP)
    const id = await payHeld(payment, '0.7')
    expect(await stage.read(payment.payment_id)).toMatchObject({
      status: 'paid',
      flags: ['overpaid', 'multiple_deposits'],
      amount_detected: '1.2',
      amount_confirmed: '0.5',
    })
    await decide(id, 'reject')
    expect(await stage.read(payment.payment_id)).toMatchObject({
      status: 'pending',
      flags: ['underpaid'],
      amount_detected: '0.5',
      amount_confirmed: '0.5',
      amount_due: '0.5',
    })
  })

  test('drops the flag of a late deposit that is rejected, and keeps that of one that is released', async () => {
    const rejected = await stage.open()
    const released = await stage.open({ user_reference: 'late and released' })
    for (const each of [rejected, released]) await stage.expire(each.payment_id)
    await decide(await payHeld(rejected), 'reject')
    expect(await stage.read(rejected.payment_id)).toMatchObject({
      status: 'expired',
      flags: [],
      amount_detected: '0',
    })
    await decide(await payHeld(released), 'release')
    expect(await stage.read(released.payment_id)).toMatchObject({
      status: 'expired',
      flags: ['late'],
      amount_confirmed: '1',
    })
    expect(await creditOf('late%20and%20released')).toEqual({ available: '1', reserved: '0' })
    for (const each of [rejected, released]) {
      expect(await stage.exceptions(each.payment_id)).toEqual(['late'])
    }
  })

  test('counts a rejected deposit again when it is mined in another block, because a person decides again', async () => {
    const payment = await stage.open()
    const id = await payHeld(payment)
    await decide(id, 'reject')
    const lost = await stage.reorganise(DEEP)
    expect(await stage.read(payment.payment_id)).toMatchObject({ status: 'pending', amount_detected: '0' })
    for (const transaction of lost) stage.model.send(transaction)
    stage.model.mine()
    await stage.look()
    expect(await stage.read(payment.payment_id)).toMatchObject({ status: 'paid', amount_detected: '1' })
    await stage.mine(DEEP)
    expect(await stage.read(payment.payment_id)).toMatchObject({ status: 'confirmed', flags: [] })
  })

  test('holds what a sanctioned sender pays, and nothing else', async () => {
    const { sql } = stage.api.database
    const payment = await stage.open({ user_reference: 'sanctioned' })
    stage.send(payment.address, '1')
    for (let block = 0; block < DEEP; block++) stage.model.mine()
    await stage.look()
    // The chain in memory names every sender so.
    await sql`INSERT INTO sanctioned_addresses (address) VALUES ('payer')`
    await settle(sql)
    await sql`DELETE FROM sanctioned_addresses`
    const read = await stage.read(payment.payment_id)
    expect(read).toMatchObject({ status: 'paid', deposits: [{ status: 'held' }], amount_confirmed: '0' })
    await decide(read.deposits[0]?.id ?? '', 'reject')
    expect(await stage.read(payment.payment_id)).toMatchObject({ status: 'pending', flags: [] })
  })

  test('counts what is too small to be credited by itself as seen, until a person decides', async () => {
    const { sql } = stage.api.database
    const dusty = withCoins((coin) => ({ ...coin, dust: parseAmount('0.001', coin.decimals) }))
    const payment = await stage.open({ user_reference: 'dust' })
    stage.send(payment.address, '0.9999')
    stage.send(payment.address, '0.0001')
    for (let block = 0; block < DEEP; block++) stage.model.mine()
    await stage.look()
    await settle(sql, dusty)
    const read = await stage.read(payment.payment_id)
    expect(read).toMatchObject({
      status: 'paid',
      flags: ['multiple_deposits'],
      amount_detected: '1',
      amount_confirmed: '0.9999',
    })
    expect(await creditOf('dust')).toEqual({ available: '0.9999', reserved: '0.0001' })
    await decide(read.deposits.find(({ status }) => status === 'held')?.id ?? '', 'release')
    expect(await stage.read(payment.payment_id)).toMatchObject({
      status: 'confirmed',
      flags: ['multiple_deposits'],
      amount_confirmed: '1',
    })
    expect(await creditOf('dust')).toEqual({ available: '1', reserved: '0' })
  })

  test('takes no notice of what is below the minimum of its network', async () => {
    const { sql } = stage.api.database
    const least = withCoins((coin) => ({ ...coin, minimum: parseAmount('0.001', coin.decimals) }))
    const payment = await stage.open({ user_reference: 'below the minimum' })
    const network = least.get(name) as Network
    stage.send(payment.address, '0.9999')
    stage.send(payment.address, '0.0001')
    for (let block = 0; block < DEEP; block++) stage.model.mine()
    await scan(sql, { ...stage.model.adapter(), network } as ReturnType<typeof stage.model.adapter>)
    await settle(sql)
    expect(await stage.read(payment.payment_id)).toMatchObject({
      status: 'pending',
      flags: ['underpaid'],
      amount_detected: '0.9999',
      amount_confirmed: '0.9999',
      amount_due: formatAmount(parseAmount('0.0001', 8), 8),
    })
    expect(await creditOf('below%20the%20minimum')).toEqual({ available: '0.9999', reserved: '0' })
  })
})

describe('an output of a coinbase', () => {
  beforeAll(async () => {
    stage = await startPaymentStage('bitcoin')
  })
  afterAll(() => stage?.close())

  /** Mines a block that pays its reward to an address. */
  const reward = async ({ address }: Payment) => {
    const payee = parseAddress(stage.network, address).payee ?? ''
    const output = { payee, coin: stage.coin, amount: parseAmount('1', 8), coinbase: true }
    stage.model.mine([stage.model.transaction([output])])
    await stage.look()
  }

  test('makes the payment paid, and confirmed after 100 blocks', async () => {
    const payment = await stage.open({ user_reference: 'miner' })
    await reward(payment)
    const paid = { status: 'paid', flags: [], amount_detected: '1', amount_confirmed: '0' }
    for (let block = 1; block < 99; block++) stage.model.mine()
    await stage.look()
    await settle(stage.api.database.sql)
    await stage.expire(payment.payment_id)
    expect(await stage.read(payment.payment_id)).toMatchObject(paid)
    expect((await creditOf('miner')).available).toBe('0')
    await stage.mine(1)
    expect(await stage.read(payment.payment_id)).toMatchObject({
      status: 'confirmed',
      flags: [],
      amount_confirmed: '1',
    })
    expect(await creditOf('miner')).toEqual({ available: '1', reserved: '0' })
  })

  test('is gone for good when its block is, so the payment waits and then expires', async () => {
    const { sql } = stage.api.database
    const payment = await stage.open({ user_reference: 'orphaned' })
    await reward(payment)
    await stage.mine(5)
    await stage.reorganise(6)
    expect(await stage.read(payment.payment_id)).toMatchObject({ status: 'pending', amount_detected: '0' })
    await sql`UPDATE deposits SET detected_at = detected_at - interval '2 days' WHERE payment_id = ${payment.payment_id}`
    const end = async (hours: number) => {
      await sql`
        UPDATE payments SET created_at = clock_timestamp() - interval '3 days',
          expires_at = clock_timestamp() - ${hours} * interval '1 hour' WHERE id = ${payment.payment_id}`
      await advancePayment(sql, payment.payment_id)
      return (await stage.read(payment.payment_id)).status
    }
    expect(await end(23)).toBe('pending')
    expect(await end(25)).toBe('expired')
  })
})

/** Returns the networks with other rules for the coins of the stage. */
function withCoins(change: (coin: Coin) => Coin): Map<string, Network> {
  const { network } = stage
  return new Map([...networks, [network.name, { ...network, coins: network.coins.map(change) } as Network]])
}
