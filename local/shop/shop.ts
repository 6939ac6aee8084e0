/**
 * Serves the shop of the sample merchant. A press of its button requests a payment and leads the payer to the
 * checkout page. Because its chains are test chains, the shop can also pay.
 */

import { randomBytes } from 'node:crypto'
import { type Context, Hono } from 'hono'
import { z } from 'zod'
import type { Client } from '../../client/create-client.js'
import type { Orders } from './orders.js'
import { type Offer, renderShop, SHOP_CSS } from './shop-page.js'
import type { PayTestCoins, TestCoin } from './test-coins.js'

const OFFERS: Readonly<Record<TestCoin, Offer>> = {
  eth: { network: 'ethereum', coin: 'eth', amount: '0.05' },
  btc: { network: 'bitcoin', coin: 'btc', amount: '0.002' },
}
const BUYER = 'buyer-of-the-sample-shop'
const SHOWN_ORDERS = 10

const order = z.object({ order_id: z.string().regex(/^order-[0-9a-f]{12}$/), coin: z.enum(['eth', 'btc']) })
const pressed = z.object({ payment_id: z.string().regex(/^pay_[\w-]{1,60}$/) })

export interface ShopOptions {
  readonly client: Client
  readonly orders: Orders
  /** Origin of the checkout pages, to which a form's answer may lead. */
  readonly checkoutOrigin: string
  readonly coins: ReadonlyMap<TestCoin, PayTestCoins>
}

/** Creates the router of the shop's pages. */
export function createShop({ client, orders, checkoutOrigin, coins }: ShopOptions): Hono {
  const shop = new Hono()
  /** Payments that are paid with test coins, so that a second press does not pay again. */
  const paid = new Set<string>()

  shop.get('/', (c) => {
    c.header(
      'Content-Security-Policy',
      `default-src 'none'; style-src 'self'; form-action 'self' ${checkoutOrigin}; base-uri 'none'; frame-ancestors 'none'`,
    )
    c.header('Referrer-Policy', 'same-origin')
    c.header('X-Content-Type-Options', 'nosniff')
    c.header('Cache-Control', 'no-store')
    const offers = [...coins.keys()].map((coin) => OFFERS[coin])
    return c.html(renderShop(`order-${randomBytes(6).toString('hex')}`, offers, orders.newest(SHOWN_ORDERS)))
  })

  shop.get('/shop.css', (c) => c.body(SHOP_CSS, 200, { 'content-type': 'text/css; charset=utf-8' }))

  shop.post('/pay', async (c) => {
    const form = order.safeParse(await c.req.parseBody())
    if (isForeign(c)) return c.text('The form of another site', 403)
    if (!form.success || !coins.has(form.data.coin)) return c.text('This is not sold here', 400)
    const { order_id, coin } = form.data
    // The local stack allows plain http on loopback, where the shop is.
    const back = new URL('/', c.req.url).href
    const payment = await client.payments.create(
      { ...OFFERS[coin], user_reference: BUYER, order_id, success_url: back, failure_url: back },
      // A second press of the same button finds the same payment.
      { idempotencyKey: `${order_id}-${coin}` },
    )
    return c.redirect(payment.checkout_url, 303)
  })

  shop.post('/test-coins', async (c) => {
    const form = pressed.safeParse(await c.req.parseBody())
    if (isForeign(c)) return c.text('The form of another site', 403)
    if (!form.success) return c.text('There is no such payment', 400)
    const payment = await client.payments.get(form.data.payment_id)
    const pay = coins.get(payment.coin as TestCoin)
    const waits =
      payment.status === 'pending' && payment.amount_detected === '0' && payment.amount_due !== null
    if (pay && waits && !paid.has(payment.payment_id)) {
      paid.add(payment.payment_id)
      try {
        await pay(payment.address, payment.amount_due ?? '0')
      } catch (error) {
        paid.delete(payment.payment_id)
        throw error
      }
    }
    return c.redirect(payment.checkout_url, 303)
  })

  return shop
}

/** Whether a browser sent the form from a page of another site. */
function isForeign(c: Context): boolean {
  const origin = c.req.header('origin')
  return origin !== undefined && origin !== new URL(c.req.url).origin
}
