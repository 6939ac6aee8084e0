/** Marketplace settlement: what buyers paid and what sellers may withdraw are two ledgers with a gate between. */

import { randomBytes } from 'node:crypto'
import type { Payment, Withdrawal } from '@keyturn/client'
import { HTTPException } from 'hono/http-exception'
import { z } from 'zod'
import { amountText, sumOf, toAmount, toUnits } from '../shared/amount.js'
import { openBooks } from '../shared/books.js'
import { compareBooks } from '../shared/compare.js'
import { createExampleApp, found } from '../shared/create-app.js'
import type { Example, ExampleParts } from '../shared/example.js'
import { exceptionKinds, exceptionOf } from '../shared/exceptions.js'
import { finishRequests, isRefusal, requestPayment } from '../shared/request-payment.js'

const PREFIX = 'market-'
/** The account at the platform that collects what buyers pay and pays sellers. */
const FLOAT = 'marketplace-float'

const name = z.string().min(1).max(100)
const newOrder = z.object({
  buyer: name,
  seller: name,
  lines: z.array(z.object({ item: name, amount: amountText })).min(1),
})
const newWithdrawal = z.object({ amount: amountText, to_address: z.string() })
const verdict = z.object({ for: z.enum(['buyer', 'seller']), by: name, reason: z.string().max(500) })

/** The documented transitions of the two ledgers. */
type Own =
  | ({ readonly kind: 'order'; readonly order_id: string } & z.infer<typeof newOrder>)
  | { readonly kind: 'delivered'; readonly order_id: string }
  | { readonly kind: 'disputed'; readonly order_id: string; readonly reason: string }
  | ({ readonly kind: 'decided'; readonly order_id: string } & z.infer<typeof verdict>)
  | ({
      readonly kind: 'withdrawal_requested'
      readonly external_id: string
      readonly seller: string
    } & z.infer<typeof newWithdrawal>)
  | { readonly kind: 'withdrawal_accepted'; readonly external_id: string; readonly id: string }
  | { readonly kind: 'withdrawal_refused'; readonly external_id: string; readonly reason: string }

interface Order extends z.infer<typeof newOrder> {
  readonly order_id: string
  /** Id of the payment whose confirmation the buyer's ledger has. */
  paidBy: string | null
  delivered: boolean
  dispute: 'none' | 'open' | 'buyer' | 'seller'
}

interface SellerWithdrawal extends z.infer<typeof newWithdrawal> {
  readonly external_id: string
  readonly seller: string
  /** `requested` until the platform has answered. */
  status: Withdrawal['status'] | 'requested' | 'refused'
  withdrawalId: string | null
}

/** Opens the backend. */
export function openMarketplace({ client, secret, file }: ExampleParts): Example {
  const orders = new Map<string, Order>()
  const withdrawals = new Map<string, SellerWithdrawal>()
  const orderOf = ({ order_id }: Payment) => orders.get(order_id ?? '')

  function own(entry: Own): void {
    if (entry.kind === 'withdrawal_requested') {
      withdrawals.set(entry.external_id, { ...entry, status: 'requested', withdrawalId: null })
      return
    }
    if (entry.kind === 'withdrawal_accepted') {
      const accepted = withdrawals.get(entry.external_id)
      // A webhook that came before the answer knows more.
      if (accepted?.status === 'requested') accepted.status = 'pending'
      if (accepted) accepted.withdrawalId = entry.id
      return
    }
    if (entry.kind === 'withdrawal_refused') {
      const refused = withdrawals.get(entry.external_id)
      if (refused) refused.status = 'refused'
      return
    }
    if (entry.kind === 'order') {
      orders.set(entry.order_id, { ...entry, paidBy: null, delivered: false, dispute: 'none' })
      return
    }
    const order = orders.get(entry.order_id)
    if (!order) return
    if (entry.kind === 'delivered') order.delivered = true
    if (entry.kind === 'disputed') order.dispute = 'open'
    if (entry.kind === 'decided') order.dispute = entry.for
  }

  const books = openBooks<Own>(file, {
    prefix: PREFIX,
    own,
    payment(now) {
      const order = orderOf(now)
      if (!order) return
      if (now.status === 'confirmed') order.paidBy ??= now.payment_id
      // A reorganisation took it back, so the seller has not earned it any more.
      else if (order.paidBy === now.payment_id) order.paidBy = null
    },
    withdrawal(now) {
      const mine = withdrawals.get(now.external_id ?? '')
      if (!mine) return
      mine.status = now.status
      mine.withdrawalId = now.id
    },
  })

  const totalOf = ({ lines }: Order) => sumOf(lines.map(({ amount }) => amount))
  /** Whether an order counts for its seller: confirmed, delivered, and not in dispute. */
  const isEarned = ({ paidBy, delivered, dispute }: Order) =>
    paidBy !== null && (dispute === 'none' ? delivered : dispute === 'seller')

  function sellerLedger(seller: string) {
    const mine = [...orders.values()].filter((order) => order.seller === seller)
    const taken = [...withdrawals.values()].filter(
      (each) => each.seller === seller && !['refused', 'failed', 'cancelled'].includes(each.status),
    )
    const earned = sumOf(mine.filter(isEarned).map(totalOf))
    const withdrawn = sumOf(taken.map(({ amount }) => amount))
    const waiting = sumOf(mine.filter((order) => order.paidBy && !isEarned(order)).map(totalOf))
    return { seller, earned, waiting, withdrawn, available: toAmount(toUnits(earned) - toUnits(withdrawn)) }
  }

  const exceptions = () =>
    [...books.payments.values()].flatMap((payment) =>
      [
        ...exceptionKinds(payment, Date.now()),
        ...(orderOf(payment)?.dispute === 'open' ? (['disputed'] as const) : []),
      ].map((kind) => exceptionOf(payment, kind)),
    )
  const compare = () =>
    compareBooks({
      client,
      books,
      prefix: PREFIX,
      recognised(payment) {
        const order = orderOf(payment)
        return order?.paidBy === payment.payment_id ? totalOf(order) : null
      },
      expected: ({ status, amount }) => (status === 'confirmed' ? amount : null),
    })

  /** Requests a withdrawal at the platform. The external id keeps a repeated request from paying twice. */
  async function requestWithdrawal({ external_id, amount, to_address }: SellerWithdrawal): Promise<void> {
    try {
      const { id } = await client.withdrawals.create(
        { network: 'ethereum', coin: 'eth', amount, to_address, external_id, user_reference: FLOAT },
        { idempotencyKey: external_id },
      )
      books.write({ kind: 'withdrawal_accepted', external_id, id })
    } catch (error) {
      // Another failure leaves open whether the platform has it. The amount stays reserved until that is known.
      if (!isRefusal(error)) throw error
      // It may be refused because an earlier request was accepted, whose answer was lost.
      const [known] = (await client.withdrawals.list({ external_id })).items
      if (known) books.write({ kind: 'withdrawal_accepted', external_id, id: known.id })
      else books.write({ kind: 'withdrawal_refused', external_id, reason: error.code })
    }
  }

  const app = createExampleApp({ books, secret, exceptions, compare })
  app.post('/orders', async (c) => {
    const wanted = newOrder.parse(await c.req.json())
    const order_id = `${PREFIX}${randomBytes(6).toString('hex')}`
    books.write({ kind: 'order', order_id, ...wanted })
    const payment = await requestPayment(client, books, {
      user_reference: FLOAT,
      network: 'ethereum',
      coin: 'eth',
      amount: totalOf(found(orders.get(order_id))),
      order_id,
      metadata: { buyer: wanted.buyer },
    })
    return c.json({ order_id, payment_id: payment.payment_id, checkout_url: payment.checkout_url }, 201)
  })
  app.post('/orders/:id/delivered', (c) => {
    books.write({ kind: 'delivered', order_id: found(orders.get(c.req.param('id'))).order_id })
    return c.body(null, 204)
  })
  app.post('/orders/:id/dispute', async (c) => {
    const { reason } = z.object({ reason: z.string().max(500) }).parse(await c.req.json())
    books.write({ kind: 'disputed', order_id: found(orders.get(c.req.param('id'))).order_id, reason })
    return c.body(null, 204)
  })
  app.post('/orders/:id/verdict', async (c) => {
    const decided = verdict.parse(await c.req.json())
    const { order_id, dispute } = found(orders.get(c.req.param('id')))
    if (dispute !== 'open') throw new HTTPException(409, { message: 'There is no open dispute' })
    books.write({ kind: 'decided', order_id, ...decided })
    return c.body(null, 204)
  })
  app.get('/orders/:id', (c) => {
    const order = found(orders.get(c.req.param('id')))
    return c.json({ ...order, earned: isEarned(order) })
  })
  app.get('/sellers/:seller', (c) => c.json(sellerLedger(c.req.param('seller'))))
  app.post('/sellers/:seller/withdrawals', async (c) => {
    const wanted = newWithdrawal.parse(await c.req.json())
    const seller = c.req.param('seller')
    const { earned, withdrawn } = sellerLedger(seller)
    if (toUnits(wanted.amount) + toUnits(withdrawn) > toUnits(earned))
      throw new HTTPException(409, { message: 'The seller has earned less' })
    const external_id = `${PREFIX}${randomBytes(6).toString('hex')}`
    books.write({ kind: 'withdrawal_requested', external_id, seller, ...wanted })
    const requested = found(withdrawals.get(external_id))
    await requestWithdrawal(requested)
    return c.json(requested, 202)
  })
  app.get('/sellers/:seller/withdrawals', (c) =>
    c.json([...withdrawals.values()].filter(({ seller }) => seller === c.req.param('seller'))),
  )

  return {
    app,
    compare,
    async resume() {
      await finishRequests(client, books)
      for (const each of withdrawals.values()) if (each.status === 'requested') await requestWithdrawal(each)
    },
    close: () => books.close(),
  }
}
