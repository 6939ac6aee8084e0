/** SaaS billing: a subscription is active for as long as confirmed payments have paid for it. */

import { randomBytes } from 'node:crypto'
import type { Payment } from '@keyturn/client'
import { z } from 'zod'
import { openBooks } from '../shared/books.js'
import { compareBooks } from '../shared/compare.js'
import { createExampleApp, found } from '../shared/create-app.js'
import type { Example, ExampleParts } from '../shared/example.js'
import { exceptionKinds, exceptionOf } from '../shared/exceptions.js'
import { finishRequests, requestPayment } from '../shared/request-payment.js'

const PREFIX = 'saas-'
const PERIOD_MS = 30 * 86_400_000
/** Price of a period, in ether. */
const PLANS = { team: '0.02', business: '0.05' } as const

const newSubscription = z.object({ customer: z.string().min(1).max(100), plan: z.enum(['team', 'business']) })

type Own = { readonly kind: 'subscription'; readonly id: string } & z.infer<typeof newSubscription>

interface Subscription extends z.infer<typeof newSubscription> {
  readonly id: string
  /** End of what is paid for. `null` before the first confirmed payment. */
  paidUntil: string | null
  /** Amounts of the payments that paid for a period, by payment id. Finance recognises these as revenue. */
  readonly revenue: Map<string, string>
}

/** Opens the backend. */
export function openSaasBilling({ client, secret, file }: ExampleParts): Example {
  const subscriptions = new Map<string, Subscription>()
  const subscriptionOf = (payment: Payment) =>
    subscriptions.get((payment.order_id ?? '').slice(PREFIX.length).split('-')[0] ?? '')

  const books = openBooks<Own>(file, {
    prefix: PREFIX,
    own({ id, customer, plan }) {
      subscriptions.set(id, { id, customer, plan, paidUntil: null, revenue: new Map() })
    },
    payment(now) {
      const subscription = subscriptionOf(now)
      // `paid` is provisional. Only `confirmed` opens access, and each payment opens one period.
      if (!subscription || now.status !== 'confirmed' || subscription.revenue.has(now.payment_id)) return
      const confirmedAt = Date.parse(now.confirmed_at ?? now.created_at)
      const from = Math.max(Date.parse(subscription.paidUntil ?? now.created_at), confirmedAt)
      subscription.paidUntil = new Date(from + PERIOD_MS).toISOString()
      subscription.revenue.set(now.payment_id, now.amount ?? now.amount_confirmed)
    },
  })

  const exceptions = () =>
    [...books.payments.values()].flatMap((payment) =>
      exceptionKinds(payment, Date.now()).map((kind) => exceptionOf(payment, kind)),
    )
  const compare = () =>
    compareBooks({
      client,
      books,
      prefix: PREFIX,
      recognised: ({ payment_id, ...payment }) =>
        subscriptionOf({ payment_id, ...payment })?.revenue.get(payment_id) ?? null,
      expected: ({ status, amount }) => (status === 'confirmed' ? amount : null),
    })

  async function requestPeriod({ id, customer, plan }: Subscription) {
    const number = paymentsOf(id).length + 1
    const payment = await requestPayment(client, books, {
      user_reference: customer,
      network: 'ethereum',
      coin: 'eth',
      amount: PLANS[plan],
      order_id: `${PREFIX}${id}-${number}`,
    })
    return { subscription_id: id, payment_id: payment.payment_id, checkout_url: payment.checkout_url }
  }

  const paymentsOf = (id: string) =>
    [...books.payments.values()].filter(({ order_id }) => order_id?.startsWith(`${PREFIX}${id}-`))

  const app = createExampleApp({ books, secret, exceptions, compare })
  app.post('/subscriptions', async (c) => {
    const wanted = newSubscription.parse(await c.req.json())
    const id = randomBytes(6).toString('hex')
    books.write({ kind: 'subscription', id, ...wanted })
    return c.json(await requestPeriod(found(subscriptions.get(id))), 201)
  })
  app.post('/subscriptions/:id/renewals', async (c) =>
    c.json(await requestPeriod(found(subscriptions.get(c.req.param('id')))), 201),
  )
  app.get('/subscriptions/:id', (c) => {
    const { id, customer, plan, paidUntil, revenue } = found(subscriptions.get(c.req.param('id')))
    const payments = paymentsOf(id).map(({ payment_id, order_id, status, flags, checkout_url }) => ({
      payment_id,
      order_id,
      status,
      flags,
      checkout_url,
    }))
    const active = paidUntil !== null && Date.parse(paidUntil) > Date.now()
    return c.json({ id, customer, plan, active, paid_until: paidUntil, periods: revenue.size, payments })
  })

  return { app, compare, resume: () => finishRequests(client, books), close: () => books.close() }
}
