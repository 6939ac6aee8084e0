/** The four examples as processes on a whole stack, while their webhooks get lost, repeat and change order. */

import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Client } from '../../client/create-client.js'
import type { Payment } from '../../client/types.js'
import { parseAmount } from '../../domain/money.js'
import { type Flow, flowsOf } from '../../local/walk/flows.js'
import { approve, clientOf } from '../../local/walk/people.js'
import { endStack, type FaultStack, startFaultStack } from '../fault/stack.js'
import { type RunningExample, runExample } from './run-example.js'

const DAY_MS = 86_400_000

let stack: FaultStack
let client: Client
let eth: Flow
let passed = 0
const running: RunningExample[] = []

beforeAll(async () => {
  stack = await startFaultStack(() => ({ KEYTURN_WEBHOOK_RETRY_INTERVAL: '1s' }))
  const facts = stack.facts()
  client = clientOf(facts.api, facts.merchant)
  eth = flowsOf(facts).find(({ coin }) => coin === 'eth') as Flow
}, 400_000)

afterAll(async () => {
  await Promise.all(running.map((each) => each.close()))
  await endStack(stack, passed < 4, 0)
}, 100_000)

async function open(name: string): Promise<RunningExample> {
  const example = await runExample(stack.home, name)
  running.push(example)
  return example
}

/** Polls until a read gives what holds. */
async function until<T>(read: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
  let last: T | undefined
  for (let attempt = 0; attempt < 1_200; attempt += 1) {
    last = await read()
    if (holds(last)) return last
    await sleep(100)
  }
  throw new Error(`It stays: ${JSON.stringify(last)}`)
}

/** Pays a part or all of a payment from the faucet. */
async function pay(paymentId: string, amount?: string): Promise<void> {
  const payment = await client.payments.get(paymentId)
  await eth.pay(payment.address, parseAmount(amount ?? payment.amount ?? '0', eth.decimals))
}

const platformSays = (paymentId: string, status: Payment['status']) =>
  until(
    () => client.payments.get(paymentId),
    (payment) => payment.status === status,
  )

/** Checks that the books equal the platform's payments, that no event is in them twice, and that faults happened. */
async function expectEqual(example: RunningExample, prefix: string): Promise<void> {
  const comparison = await example.post('/comparisons')
  expect(comparison.differences).toEqual([])
  const theirs = (await client.payments.list({ limit: 100 })).items.filter((payment) =>
    payment.order_id?.startsWith(prefix),
  )
  expect(comparison.payments).toBe(theirs.length)
  for (const { payment_id, status, flags, history } of theirs) {
    const [ours] = await example.get(`/support/${payment_id}`)
    expect(ours).toMatchObject({ payment_id, status, flags, history })
  }
  const events = example.journal().flatMap((line) => JSON.parse(line).event?.id ?? [])
  expect(new Set(events).size).toBe(events.length)
  const { lost, lateAnswers, repeated, outOfOrder } = example.courier.faults
  expect(Math.min(lost, lateAnswers, repeated, outOfOrder)).toBeGreaterThan(0)
}

/** Removes what the books know of a confirmation, and checks that the comparison reports it. */
async function expectReported(example: RunningExample, payment_id: string, amount: string): Promise<void> {
  await example.kill()
  // Otherwise a late delivery could bring it again.
  example.courier.blocked = true
  const confirms = (line: string) => {
    const { data } = JSON.parse(line).event ?? {}
    return data?.payment_id === payment_id && data.status === 'confirmed'
  }
  example.journal((lines) => lines.filter((line) => !confirms(line)))
  await example.start()
  const { differences } = await example.post('/comparisons')
  const about = differences.filter((each: { payment_id: string }) => each.payment_id === payment_id)
  expect(about).toContainEqual(expect.objectContaining({ field: 'status', theirs: 'confirmed' }))
  expect(about).toContainEqual(expect.objectContaining({ field: 'recognised', ours: null, theirs: amount }))
  passed += 1
}

test.concurrent('saas-billing extends a subscription once for each confirmed payment', async () => {
  const example = await open('saas-billing')
  const first = await example.post('/subscriptions', { customer: 'acme', plan: 'team' })
  const path = `/subscriptions/${first.subscription_id}`
  const view = () => example.get(path)
  expect(await view()).toMatchObject({ active: false, paid_until: null })
  await pay(first.payment_id)
  await until(view, ({ active }) => active)
  const { confirmed_at } = await platformSays(first.payment_id, 'confirmed')
  const paidUntil = (periods: number) =>
    new Date(Date.parse(confirmed_at ?? '') + periods * 30 * DAY_MS).toISOString()
  expect(await view()).toMatchObject({ periods: 1, paid_until: paidUntil(1) })

  // The webhooks of the renewal do not come at all, and the process dies: the comparison brings the events.
  example.courier.blocked = true
  const renewal = await example.post(`${path}/renewals`)
  await pay(renewal.payment_id)
  await example.kill()
  await platformSays(renewal.payment_id, 'confirmed')
  await example.start()
  expect(await view()).toMatchObject({ periods: 1 })
  const comparison = await example.post('/comparisons')
  expect(comparison.missed_events).toBeGreaterThan(0)
  expect(await view()).toMatchObject({ periods: 2, paid_until: paidUntil(2) })

  // Then they come after all, and change nothing.
  const { faults } = example.courier
  const before = faults.repeated
  example.courier.blocked = false
  await until(
    async () => faults.repeated,
    (repeated) => repeated > before,
  )
  expect(await view()).toMatchObject({ periods: 2, paid_until: paidUntil(2) })
  await expectEqual(example, 'saas-')
  await expectReported(example, renewal.payment_id, '0.02')
}, 200_000)

test.concurrent('wallet-top-up credits a confirmed payment once, and leaves one after a complaint to a person', async () => {
  const example = await open('wallet-top-up')
  const wallet = (user: string) => example.get(`/users/${user}`)
  const half = await example.post('/top-ups', { user: 'ann', amount: '0.04' })
  const whole = await example.post('/top-ups', { user: 'ben', amount: '0.03' })
  await example.post(`/top-ups/${whole.order_id}/complaints`, { text: 'Where is my money?' })
  await Promise.all([pay(half.payment_id, '0.01'), pay(whole.payment_id)])
  await until(
    () => example.get(`/support/${half.payment_id}`),
    ([payment]) => payment.flags.includes('underpaid'),
  )
  expect((await wallet('ann')).spendable).toBe('0')
  await pay(half.payment_id, '0.03')
  await until(
    () => wallet('ann'),
    ({ spendable }) => spendable === '0.04',
  )
  await until(
    () => example.get('/exceptions'),
    (found) => found.some((each: { kind: string }) => each.kind === 'late_confirmed'),
  )
  expect(await wallet('ben')).toMatchObject({ spendable: '0', top_ups: [{ text: 'Arrived' }] })
  await example.post(`/exceptions/${whole.payment_id}/credit`, { by: 'Ada', reason: 'It is on the chain' })
  expect((await wallet('ben')).spendable).toBe('0.03')
  await expectEqual(example, 'topup-')
  await expectReported(example, half.payment_id, '0.04')
}, 200_000)

test.concurrent('invoice-collection closes an invoice once, and issues an ended attempt again with a new address', async () => {
  const example = await open('invoice-collection')
  const invoice = { customer: 'globex', currency: 'EUR', total: '100.00' }
  const terms = { amount: '0.02', rate: '5000', rate_source: 'example' }
  const [a, b] = [await example.post('/invoices', invoice), await example.post('/invoices', invoice)]
  const ended = await example.post(`/invoices/${a.id}/payment`, { ...terms, expires_in_seconds: 5 })
  const over = await example.post(`/invoices/${b.id}/payment`, terms)
  await pay(over.payment_id, '0.021')
  await until(
    () => example.get(`/invoices/${a.id}`),
    ({ status }) => status === 'attempt_ended',
  )
  const again = await example.post(`/invoices/${a.id}/reissue`)
  expect((await example.post(`/invoices/${a.id}/reissue`)).payment_id).toBe(again.payment_id)
  await pay(again.payment_id)
  const closed = await until(
    () => example.get(`/invoices/${a.id}`),
    ({ status }) => status === 'closed',
  )
  expect(closed.attempts).toMatchObject([
    { payment_id: ended.payment_id, status: 'expired' },
    { payment_id: again.payment_id, status: 'confirmed', attempt_of: ended.payment_id },
  ])
  expect(closed.attempts[1].quote).toMatchObject({ currency: 'EUR', amount: '100.00', rate: '5000' })
  await until(
    () => example.get(`/invoices/${b.id}`),
    ({ status, closedBy }) => status === 'closed' && closedBy === over.payment_id,
  )
  expect(await example.get('/exceptions')).toContainEqual(
    expect.objectContaining({ payment_id: over.payment_id, kind: 'overpaid' }),
  )
  await expectEqual(example, 'inv-')
  await expectReported(example, again.payment_id, '0.02')
}, 200_000)

test.concurrent('marketplace-settlement lets a seller withdraw what is confirmed, delivered and not in dispute', async () => {
  const example = await open('marketplace-settlement')
  const order = (seller: string, amount: string) =>
    example.post('/orders', { buyer: 'bo', seller, lines: [{ item: 'lamp', amount }] })
  const [sold, disputed] = [await order('sam', '0.05'), await order('sam', '0.02')]
  await example.post(`/orders/${disputed.order_id}/dispute`, { reason: 'It never came' })
  await Promise.all([pay(sold.payment_id), pay(disputed.payment_id)])
  const ledger = () => example.get('/sellers/sam')
  await until(ledger, ({ waiting }) => waiting === '0.07')
  expect(await ledger()).toMatchObject({ earned: '0', available: '0' })
  expect(await example.get('/exceptions')).toContainEqual(
    expect.objectContaining({ payment_id: disputed.payment_id, kind: 'disputed' }),
  )
  const wanted = { amount: '0.03', to_address: eth.stranger() }
  await expect(example.post('/sellers/sam/withdrawals', wanted)).rejects.toThrow('409')
  await example.post(`/orders/${sold.order_id}/delivered`)
  await example.post(`/orders/${disputed.order_id}/verdict`, { for: 'buyer', by: 'Ada', reason: 'Lost' })
  expect(await ledger()).toMatchObject({ earned: '0.05', waiting: '0.02', available: '0.05' })

  const { external_id } = await example.post('/sellers/sam/withdrawals', wanted)
  expect((await ledger()).available).toBe('0.02')
  const [requested] = (await client.withdrawals.list({ external_id })).items
  await approve(stack.facts(), 'withdrawals', requested?.id ?? '')
  await until(
    () => example.get('/sellers/sam/withdrawals'),
    ([one]) => one.status === 'confirmed',
  )
  expect(await eth.holds(wanted.to_address)).toBe(parseAmount('0.03', 18))
  expect(await ledger()).toMatchObject({ earned: '0.05', withdrawn: '0.03', available: '0.02' })
  await expectEqual(example, 'market-')
  await expectReported(example, sold.payment_id, '0.05')
}, 200_000)
