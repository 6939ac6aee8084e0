/** Disputes about payments, deposits and users, with real credits: each amount is held once, and for as long. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { postJournal } from '../../db/books/ledger/post-journal.js'
import { confirmDeposit } from '../../db/deposits/confirm-deposit.js'
import { holdDeposit } from '../../db/deposits/hold-deposit.js'
import { newId } from '../../db/new-id.js'
import { movePayout } from '../../db/payouts/move-payout.js'
import { lockWithdrawal } from '../../db/payouts/payout-row.js'
import { reopenWithdrawals } from '../../db/payouts/reopen-withdrawals.js'
import { releaseJournal, settleJournal } from '../../db/payouts/withdrawal-journals.js'
import type { Network } from '../../domain/chain/network.js'
import type { Payment } from '../../wire/payment.js'
import { networks } from '../stage/deposit-steps.js'
import { type PaymentStage, startPaymentStage } from '../stage/payments.js'
import { reconcile } from '../stage/reconcile.js'

const TO = '0x742d35Cc6634C0532925a3b844Bc454e4438f44e'
/** Blocks until a deposit is credited. */
const DEEP = 5
let stage: PaymentStage
let wallet = ''
let users = 0

beforeAll(async () => {
  stage = await startPaymentStage('ethereum')
  const [hot] = await sql()<{ id: string }[]>`
    SELECT id FROM addresses WHERE network = 'ethereum' AND kind = 'hot' LIMIT 1`
  wallet = hot?.id ?? ''
  for (const [coin, amount] of [
    ['eth', 10n ** 20n],
    ['usdt', 10n ** 12n],
  ] as const) {
    const asset = { network: 'ethereum', coin }
    await postJournal(sql(), {
      merchantId: stage.api.merchantId,
      idempotencyKey: newId('evt'),
      type: 'test.credited',
      reference: 'test',
      entries: [
        { ...asset, kind: 'chain', owner: wallet, amount },
        { ...asset, kind: 'available', owner: '', amount: -amount },
      ],
    })
  }
})
afterAll(() => stage?.close())

const sql = () => stage.api.database.sql
const post = (path: string, body: unknown) => stage.api.call({ method: 'POST', path: `/api/v1${path}`, body })
const open = () => stage.open({ user_reference: `disputed ${++users}`, amount: '3' })
const dispute = async (type: string, id: string) => {
  const { status, json } = await post('/exceptions', {
    kind: 'dispute',
    subject: { type, id },
    reason: 'The payer asks for it back',
  })
  expect(status).toBe(201)
  return json.data.id as string
}
const resolve = async (id: string, body: object = { resolution: 'none' }) => {
  const { status, json } = await post(`/exceptions/${id}/resolve`, { comment: 'Settled', ...body })
  expect(json).toMatchObject({ success: true })
  return [status, json.data.withdrawal_id] as const
}
const refund = async (id: string) =>
  (await resolve(id, { resolution: 'refund', to_address: TO }))[1] as string
const holds = async (id: string) =>
  (await stage.api.call({ path: `/api/v1/exceptions/${id}` })).json.data.holds.map(
    ({ coin, amount }: { coin: string; amount: string }) => `${amount} ${coin}`,
  )
/** Returns what a user has of a coin, as `available + reserved`. */
const funds = async (user: string, coin = 'eth') => {
  const path = `/api/v1/balances?user_reference=${encodeURIComponent(user)}&network=ethereum&coin=${coin}`
  const [balance] = (await stage.api.call({ path })).json.data
  return `${balance?.available ?? '0'} + ${balance?.reserved ?? '0'}`
}
/** Pays a payment and lets the amount be credited. @returns The deposit. */
const pay = async ({ address }: Payment, amount: string, coin?: string) => {
  const { txid } = stage.send(address, amount, coin)
  await stage.mine(DEEP)
  return depositOf(txid)
}
const depositOf = async (txid: string) => {
  const [row] = await sql()<{ id: string }[]>`SELECT id FROM deposits WHERE txid = ${txid}`
  return row?.id ?? ''
}
/** Ends a withdrawal as its workflow would. */
const end = (id: string, to: 'confirmed' | 'failed') =>
  sql().begin(async (tx) => {
    await tx`UPDATE payouts SET stage = ${to === 'confirmed' ? 'confirming' : 'building'} WHERE id = ${id}`
    const row = await lockWithdrawal(tx, id)
    const left = { addressId: wallet, coin: row.coin, amount: row.amount }
    await postJournal(tx, to === 'failed' ? releaseJournal(row) : settleJournal(row, [left]))
    return movePayout(tx, networks, row, { to, actor: 'system:test', confirmed: to === 'confirmed' })
  })

test('hold what is credited for the same payment later, and nothing else of the user', async () => {
  const payment = await open()
  const user = payment.user_reference
  await pay(payment, '1')
  const id = await dispute('payment', payment.payment_id)
  expect(await holds(id)).toEqual(['1 eth'])
  await pay(payment, '0.5')
  expect(await holds(id)).toEqual(['1.5 eth'])
  expect(await funds(user)).toBe('0 + 1.5')
  await pay(await stage.open({ user_reference: user }), '0.25')
  expect(await funds(user)).toBe('0.25 + 1.5')
  await resolve(id)
  expect(await funds(user)).toBe('1.75 + 0')
  await pay(payment, '0.125')
  expect(await funds(user)).toBe('1.875 + 0')
})

test('about a deposit that is not credited yet hold it from its credit on, also after a reorg', async () => {
  const payment = await open()
  const { txid } = stage.send(payment.address, '1')
  await stage.mine(1)
  const id = await dispute('deposit', await depositOf(txid))
  expect(await holds(id)).toEqual([])
  await stage.mine(DEEP)
  expect(await holds(id)).toEqual(['1 eth'])
  const lost = await stage.reorganise(DEEP + 1)
  expect(await funds(payment.user_reference)).toBe('-1 + 1')
  for (const transaction of lost) stage.model.send(transaction)
  await stage.mine(DEEP)
  expect(await holds(id)).toEqual(['1 eth'])
  expect(await funds(payment.user_reference)).toBe('0 + 1')
})

test('raised beside a credit hold it, whichever comes first', async () => {
  for (let round = 0; round < 6; round++) {
    const payment = await open()
    stage.send(payment.address, '1')
    for (let block = 0; block < DEEP; block++) stage.model.mine()
    await stage.look()
    const [id] = await Promise.all([dispute('payment', payment.payment_id), stage.mine(0)])
    expect(await holds(id)).toEqual(['1 eth'])
    expect(await funds(payment.user_reference)).toBe('0 + 1')
  }
})

test('about the same deposit hold it once, and the next one holds it when the first ends', async () => {
  const payment = await open()
  const user = payment.user_reference
  const depositId = await pay(payment, '1')
  await pay(await stage.open({ user_reference: user }), '4')
  const ofPayment = await dispute('payment', payment.payment_id)
  const ofDeposit = await dispute('deposit', depositId)
  expect(await Promise.all([holds(ofPayment), holds(ofDeposit)])).toEqual([['1 eth'], []])
  expect(await funds(user)).toBe('4 + 1')
  await resolve(ofPayment)
  expect(await holds(ofDeposit)).toEqual(['1 eth'])
  expect(await funds(user)).toBe('4 + 1')
  const ofUser = await dispute('user', user)
  expect(await holds(ofUser)).toEqual(['4 eth'])
  // All that the user has is held already.
  const again = await dispute('payment', payment.payment_id)
  expect(await holds(again)).toEqual([])
  await pay(await stage.open({ user_reference: user }), '2')
  expect(await funds(user)).toBe('2 + 5')
  await resolve(ofUser)
  expect(await funds(user)).toBe('6 + 1')
  await resolve(ofDeposit)
  expect(await holds(again)).toEqual(['1 eth'])
  await resolve(again)
  expect(await funds(user)).toBe('7 + 0')
  const held = await sql()`SELECT FROM exception_holds WHERE released_at IS NULL AND owner = ${user}`
  expect(held).toHaveLength(0)
  const { count } = await sql()`
    SELECT FROM ledger_journals WHERE type = 'exception.released' AND reference IN (${ofPayment}, ${ofDeposit}, ${again}, ${ofUser})`
  expect(count).toBe(4)
})

test('keep what is held of another coin, and by another dispute, while one coin is refunded', async () => {
  const payment = await open()
  const user = payment.user_reference
  await pay(payment, '3')
  await pay(payment, '50', 'usdt')
  const other = await pay(await stage.open({ user_reference: user }), '1')
  const id = await dispute('payment', payment.payment_id)
  const beside = await dispute('deposit', other)
  expect(await holds(id)).toEqual(['3 eth', '50 usdt'])
  const first = await refund(id)
  expect(await holds(id)).toEqual(['50 usdt'])
  expect([await funds(user), await funds(user, 'usdt')]).toEqual(['0 + 4', '0 + 50'])
  await end(first, 'failed')
  expect(await holds(id)).toEqual(['3 eth', '50 usdt'])
  expect(await funds(user)).toBe('0 + 4')
  // A credit during a refund is held too.
  const second = await refund(id)
  await pay(payment, '0.5')
  expect(await holds(id)).toEqual(['0.5 eth', '50 usdt'])
  await end(second, 'confirmed')
  expect([await holds(id), await holds(beside)]).toEqual([[], ['1 eth']])
  expect(await funds(user, 'usdt')).toBe('50 + 0')
})

test('leave nothing reserved of a rejected deposit while its refund is confirmed', async () => {
  const payment = await open()
  const user = payment.user_reference
  const { txid } = stage.send(payment.address, '1')
  for (let block = 0; block < DEEP; block++) stage.model.mine()
  await stage.look()
  const depositId = await depositOf(txid)
  await confirmDeposit(sql(), networks, depositId)
  await holdDeposit(sql(), networks, depositId, 'a review is needed')
  expect((await post(`/deposits/${depositId}/reject`, { reason: 'unlawful' })).status).toBe(200)
  const [exception] = (await stage.api.call({ path: '/api/v1/exceptions?kind=rejected_deposit&status=open' }))
    .json.data
  const account = async (kind: string, owner: string) => {
    const [row] = await sql()<{ balance: bigint }[]>`
      SELECT balance FROM ledger_accounts
      WHERE network = 'ethereum' AND coin = 'eth' AND kind = ${kind} AND owner = ${owner}`
    return -(row?.balance ?? 0n)
  }
  const ether = 10n ** 18n
  const own = await account('available', '')
  const failed = await refund(exception.id)
  await end(failed, 'failed')
  expect([await account('reserved', user), await account('available', '')]).toEqual([ether, own])
  const paid = await refund(exception.id)
  expect([await account('reserved', user), await account('available', '')]).toEqual([ether, own - ether])
  await end(paid, 'confirmed')
  expect([await account('reserved', user), await account('available', '')]).toEqual([0n, own])
  expect(await funds(user)).toBe('0 + 0')
  const reopen = () => sql().begin((tx) => reopenWithdrawals(tx, networks.get('ethereum') as Network, [paid]))
  await reopen()
  expect([await account('reserved', user), await account('available', '')]).toEqual([ether, own - ether])
  await end(paid, 'confirmed')
  expect([await account('reserved', user), await account('available', '')]).toEqual([0n, own])
  const run = await reconcile(sql(), networks, stage.api.merchantId, { scope: ['internal'] })
  const verdicts = run.checks.map(({ name, ok }) => [name, ok])
  for (const name of ['deposits', 'holds', 'totals', 'balances'])
    expect(verdicts).toContainEqual([name, true])
  await stage.reorganise(DEEP + 1)
  expect([await account('reserved', user), await account('available', '')]).toEqual([0n, own - ether])
  const [deposit] = await sql()`SELECT refunded_by FROM deposits WHERE id = ${depositId}`
  expect(deposit).toEqual({ refunded_by: null })
})
