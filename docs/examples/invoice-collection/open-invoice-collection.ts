/** Invoice collection: a confirmed payment closes its invoice, once; everything unusual waits for a person. */

import { randomBytes } from 'node:crypto'
import type { Payment } from '@keyturn/client'
import { HTTPException } from 'hono/http-exception'
import { z } from 'zod'
import { amountText } from '../shared/amount.js'
import { openBooks } from '../shared/books.js'
import { compareBooks } from '../shared/compare.js'
import { createExampleApp, found } from '../shared/create-app.js'
import type { Example, ExampleParts } from '../shared/example.js'
import { exceptionKinds, exceptionOf } from '../shared/exceptions.js'
import { finishRequests, requestPayment } from '../shared/request-payment.js'

const PREFIX = 'inv-'

const newInvoice = z.object({
  customer: z.string().min(1).max(100),
  currency: z.string().regex(/^[A-Z]{3}$/),
  total: amountText,
})
/** The price in ether, and how it was computed. The platform keeps it beside the payment as it was sent. */
const terms = z.object({
  amount: amountText,
  rate: amountText,
  rate_source: z.string(),
  expires_in_seconds: z.int().optional(),
})

interface Invoice extends z.infer<typeof newInvoice> {
  readonly id: string
  readonly issuedAt: string
  /** Id of the payment that closed it. No other payment closes it again. */
  closedBy: string | null
}

type Own = { readonly kind: 'invoice'; readonly id: string } & z.infer<typeof newInvoice>

/** Opens the backend. */
export function openInvoiceCollection({ client, secret, file }: ExampleParts): Example {
  const invoices = new Map<string, Invoice>()
  const invoiceOf = ({ order_id }: Payment) => invoices.get((order_id ?? '').slice(PREFIX.length))

  const books = openBooks<Own>(file, {
    prefix: PREFIX,
    own({ id, customer, currency, total }, at) {
      invoices.set(id, { id, customer, currency, total, issuedAt: at, closedBy: null })
    },
    payment(now) {
      const invoice = invoiceOf(now)
      if (invoice && now.status === 'confirmed') invoice.closedBy ??= now.payment_id
    },
  })

  /** Whether another payment has closed the invoice already. */
  const paidTwice = (payment: Payment) => {
    const closedBy = invoiceOf(payment)?.closedBy ?? payment.payment_id
    return payment.status === 'confirmed' && closedBy !== payment.payment_id
  }
  const exceptions = () =>
    [...books.payments.values()].flatMap((payment) =>
      [...exceptionKinds(payment, Date.now()), ...(paidTwice(payment) ? (['paid_twice'] as const) : [])].map(
        (kind) => exceptionOf(payment, kind),
      ),
    )
  const compare = () =>
    compareBooks({
      client,
      books,
      prefix: PREFIX,
      recognised: (payment) => (invoiceOf(payment)?.closedBy === payment.payment_id ? payment.amount : null),
      expected: (payment) => (payment.status === 'confirmed' && !paidTwice(payment) ? payment.amount : null),
    })

  /** Returns the attempts to collect an invoice, the oldest first. */
  const attemptsOf = ({ id }: Invoice) =>
    [...books.payments.values()]
      .filter(({ order_id }) => order_id === PREFIX + id)
      .sort((one, other) => one.created_at.localeCompare(other.created_at))

  function statusOf(invoice: Invoice): string {
    if (invoice.closedBy !== null) return 'closed'
    const status = attemptsOf(invoice).at(-1)?.status
    if (status === 'pending') return 'awaiting_payment'
    if (status === 'paid') return 'detected'
    return status === 'expired' || status === 'cancelled' ? 'attempt_ended' : 'open'
  }

  async function reissue({ payment_id }: Payment): Promise<Payment> {
    const idempotencyKey = `${payment_id}-reissue`
    const payment = await client.payments.reissue(payment_id, {}, { idempotencyKey })
    books.requested(payment)
    return payment
  }

  const app = createExampleApp({ books, secret, exceptions, compare })
  app.post('/invoices', async (c) => {
    const wanted = newInvoice.parse(await c.req.json())
    const id = randomBytes(6).toString('hex')
    books.write({ kind: 'invoice', id, ...wanted })
    return c.json({ id }, 201)
  })
  app.post('/invoices/:id/payment', async (c) => {
    const { amount, rate, rate_source, expires_in_seconds } = terms.parse(await c.req.json())
    const invoice = found(invoices.get(c.req.param('id')))
    if (attemptsOf(invoice).length > 0)
      throw new HTTPException(409, { message: 'There is one already; reissue it after it has ended' })
    const { id, customer, currency, total } = invoice
    const payment = await requestPayment(client, books, {
      user_reference: customer,
      network: 'ethereum',
      coin: 'eth',
      amount,
      order_id: PREFIX + id,
      quote: { currency, amount: total, rate, source: rate_source, at: new Date().toISOString() },
      ...(expires_in_seconds === undefined ? {} : { expires_in_seconds }),
    })
    return c.json({ payment_id: payment.payment_id, checkout_url: payment.checkout_url }, 201)
  })
  // An ended attempt never opens again. The next one has an address of its own.
  app.post('/invoices/:id/reissue', async (c) => {
    const last = found(attemptsOf(found(invoices.get(c.req.param('id')))).at(-1))
    if (last.status === 'confirmed') throw new HTTPException(409, { message: 'The invoice is closed' })
    // A repeated request finds the attempt that the first one made.
    const isOpen = last.status === 'pending' || last.status === 'paid'
    const payment = isOpen ? last : await reissue(last)
    return c.json({ payment_id: payment.payment_id, checkout_url: payment.checkout_url }, 201)
  })
  app.get('/invoices/:id', (c) => {
    const invoice = found(invoices.get(c.req.param('id')))
    const attempts = attemptsOf(invoice).map(({ payment_id, attempt_of, status, flags, history, quote }) => ({
      payment_id,
      attempt_of,
      status,
      flags,
      quote,
      history,
    }))
    return c.json({ ...invoice, status: statusOf(invoice), attempts })
  })

  return { app, compare, resume: () => finishRequests(client, books), close: () => books.close() }
}
