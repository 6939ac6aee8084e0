/** Wallet top-up: confirmed payments become spendable balance, once each. */

import { randomBytes } from 'node:crypto'
import type { Payment } from '@keyturn/client'
import { z } from 'zod'
import { amountText, sumOf } from '../shared/amount.js'
import { openBooks } from '../shared/books.js'
import { compareBooks } from '../shared/compare.js'
import { createExampleApp, found } from '../shared/create-app.js'
import type { Example, ExampleParts } from '../shared/example.js'
import { type Exception, type ExceptionKind, exceptionKinds, exceptionOf } from '../shared/exceptions.js'
import { finishRequests, requestPayment } from '../shared/request-payment.js'

const PREFIX = 'topup-'

const newTopUp = z.object({ user: z.string().min(1).max(100), amount: amountText })
const decision = z.object({ by: z.string().min(1).max(100), reason: z.string().min(1).max(500) })

type Own =
  | { readonly kind: 'complaint'; readonly order_id: string; readonly text: string }
  | ({ readonly kind: 'credited_by_hand'; readonly payment_id: string; readonly amount: string } & z.infer<
      typeof decision
    >)

/** What the user reads. A payment that was only seen never looks like money to spend. */
const TEXTS: Readonly<Record<Payment['status'], string>> = {
  pending: 'Waiting for your payment',
  paid: 'Seen on the network, not spendable yet',
  confirmed: 'Arrived',
  expired: 'The time is over; request a new top-up before you pay',
  cancelled: 'Cancelled',
}

/** Opens the backend. */
export function openWalletTopUp({ client, secret, file }: ExampleParts): Example {
  /** Spendable amounts by payment id. They are a liability of the business. */
  const credits = new Map<string, string>()
  const complaints = new Set<string>()

  const books = openBooks<Own>(file, {
    prefix: PREFIX,
    own(entry) {
      if (entry.kind === 'complaint') complaints.add(entry.order_id)
      else credits.set(entry.payment_id, entry.amount)
    },
    payment(now) {
      if (now.status !== 'confirmed' || credits.has(now.payment_id) || complaints.has(now.order_id ?? ''))
        return
      credits.set(now.payment_id, now.amount_confirmed)
    },
  })

  /** Returns why a person has to decide before the credit changes. */
  function openQuestions(payment: Payment): ExceptionKind[] {
    const credited = credits.get(payment.payment_id)
    const complained = complaints.has(payment.order_id ?? '')
    if (payment.amount_confirmed === (credited ?? '0')) return []
    if (credited !== undefined) return ['amount_changed']
    if (complained && payment.status === 'confirmed') return ['late_confirmed']
    return payment.flags.includes('late') ? ['late'] : []
  }
  const exceptions = (): Exception[] =>
    [...books.payments.values()].flatMap((payment) => {
      const general = exceptionKinds(payment, Date.now()).filter((kind) => kind !== 'late')
      return [...general, ...openQuestions(payment)].map((kind) => exceptionOf(payment, kind))
    })
  const compare = () =>
    compareBooks({
      client,
      books,
      prefix: PREFIX,
      recognised: ({ payment_id }) => credits.get(payment_id) ?? null,
      expected(payment) {
        // The queue of exceptions has it, and the credit stays as it is until a person decides.
        if (openQuestions(payment).length > 0) return credits.get(payment.payment_id) ?? null
        return payment.status === 'confirmed' || credits.has(payment.payment_id)
          ? payment.amount_confirmed
          : null
      },
    })

  const app = createExampleApp({ books, secret, exceptions, compare })
  app.post('/top-ups', async (c) => {
    const { user, amount } = newTopUp.parse(await c.req.json())
    const payment = await requestPayment(client, books, {
      user_reference: user,
      network: 'ethereum',
      coin: 'eth',
      amount,
      order_id: `${PREFIX}${randomBytes(6).toString('hex')}`,
    })
    const { order_id, payment_id, checkout_url } = payment
    return c.json({ order_id, payment_id, checkout_url }, 201)
  })
  app.get('/users/:user', (c) => {
    const mine = [...books.payments.values()].filter((each) => each.user_reference === c.req.param('user'))
    return c.json({
      spendable: sumOf(mine.map(({ payment_id }) => credits.get(payment_id) ?? '0')),
      top_ups: mine.map(({ order_id, payment_id, amount, status }) => ({
        order_id,
        payment_id,
        amount,
        status,
        text: TEXTS[status],
      })),
    })
  })
  app.post('/top-ups/:order_id/complaints', async (c) => {
    const { text } = z.object({ text: z.string().max(500) }).parse(await c.req.json())
    books.write({ kind: 'complaint', order_id: c.req.param('order_id'), text })
    return c.body(null, 204)
  })
  app.post('/exceptions/:payment_id/credit', async (c) => {
    const decided = decision.parse(await c.req.json())
    const { payment_id, amount_confirmed } = found(books.payments.get(c.req.param('payment_id')))
    books.write({ kind: 'credited_by_hand', payment_id, amount: amount_confirmed, ...decided })
    return c.json({ payment_id, credited: amount_confirmed })
  })

  return { app, compare, resume: () => finishRequests(client, books), close: () => books.close() }
}
