/** The shop of the sample merchant: what its buttons do, and what they refuse. */

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { expect, test } from 'vitest'
import type { Client } from '../../client/create-client.js'
import type { MerchantEvent, NewPayment, Payment } from '../../client/types.js'
import { createOrders } from '../../local/shop/orders.js'
import { createShop } from '../../local/shop/shop.js'
import { testChromium } from '../support/chromium.js'

const CHECKOUT = 'http://127.0.0.1:4000'
const ORDER = 'order-0123456789ab'

/** Opens a shop whose client keeps payments in memory, by the key of the request. */
function openShop(checkoutOrigin = CHECKOUT) {
  const payments = new Map<string, Payment>()
  const paid: string[] = []
  const client = {
    payments: {
      async create(wanted: NewPayment, { idempotencyKey = '' } = {}) {
        const payment_id = `pay_${payments.size + 1}`
        const made = {
          ...wanted,
          payment_id,
          status: 'pending',
          address: `address of ${payment_id}`,
          amount_detected: '0',
          amount_due: wanted.amount,
          checkout_url: `${checkoutOrigin}/checkout/${payment_id}`,
        } as Payment
        const known = payments.get(idempotencyKey) ?? made
        payments.set(idempotencyKey, known)
        return known
      },
      get: async (id: string) => [...payments.values()].find((each) => each.payment_id === id),
    },
  } as unknown as Client
  const orders = createOrders()
  const pay = async (address: string, amount: string) => {
    paid.push(`${amount} to ${address}`)
    return 'hash'
  }
  const shop = createShop({ client, orders, checkoutOrigin, coins: new Map([['eth', pay]]) })
  const press = (path: string, fields: Record<string, string>, headers = {}) =>
    shop.request(path, { method: 'POST', body: new URLSearchParams(fields), headers })
  return { shop, press, orders, payments, paid }
}

test('leads the payer from the button to one payment, however often it is pressed', async () => {
  const { press, payments } = openShop()
  for (let time = 0; time < 2; time += 1) {
    const answer = await press('/pay', { order_id: ORDER, coin: 'eth' })
    expect(answer.status).toBe(303)
    expect(answer.headers.get('location')).toBe(`${CHECKOUT}/checkout/pay_1`)
  }
  expect(payments.size).toBe(1)
  expect([...payments.values()]).toMatchObject([{ success_url: 'http://localhost/' }])
})

test('pays once with test coins, however often the button is pressed', async () => {
  const { press, paid } = openShop()
  await press('/pay', { order_id: ORDER, coin: 'eth' })
  const answers = await Promise.all(
    Array.from({ length: 3 }, () => press('/test-coins', { payment_id: 'pay_1' })),
  )
  expect(answers.map(({ status }) => status)).toEqual([303, 303, 303])
  expect(paid).toEqual(['0.05 to address of pay_1'])
})

test('refuses the form of another site, and what is not sold', async () => {
  const { press, payments } = openShop()
  const foreign = { origin: 'https://elsewhere.example' }
  expect((await press('/pay', { order_id: ORDER, coin: 'eth' }, foreign)).status).toBe(403)
  expect((await press('/pay', { order_id: ORDER, coin: 'eth' }, { origin: 'null' })).status).toBe(403)
  expect((await press('/test-coins', { payment_id: 'pay_1' }, foreign)).status).toBe(403)
  expect((await press('/pay', { order_id: ORDER, coin: 'btc' })).status).toBe(400)
  expect((await press('/pay', { order_id: '<b>', coin: 'eth' })).status).toBe(400)
  expect(payments.size).toBe(0)
})

test('lets its forms lead to itself and the checkout page alone, and escapes what it shows', async () => {
  const { shop, orders } = openShop()
  const data = { payment_id: 'pay_9', order_id: '<script>', coin: 'eth', created_at: '2026-01-01' }
  const event = (sequence: number, status: string) =>
    ({ event: 'payment.status_changed', sequence, data: { ...data, status } }) as unknown as MerchantEvent
  for (const each of [event(2, 'paid'), event(1, 'pending'), event(2, 'pending')]) orders.take(each)
  const answer = await shop.request('/')
  const policy = answer.headers.get('content-security-policy') ?? ''
  expect(policy).toContain(`form-action 'self' ${CHECKOUT}`)
  expect(policy).not.toContain('unsafe')
  const page = await answer.text()
  expect(page).toContain('&lt;script&gt;')
  expect(page).toContain('<strong>paid</strong>')
  expect(page).not.toMatch(/<script|<style|\son\w+=|false/)
})

test('leads a real browser to the checkout page, which is on another origin', async () => {
  const checkout = createServer((_, response) => response.end('the checkout page')).listen(0, '127.0.0.1')
  await once(checkout, 'listening')
  const { shop } = openShop(`http://127.0.0.1:${(checkout.address() as AddressInfo).port}`)
  const server = serve({ fetch: shop.fetch, hostname: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  const browser = await testChromium()
  try {
    const page = await browser.newPage()
    const said: string[] = []
    page.on('console', (message) => said.push(message.text()))
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    await page.getByRole('button', { name: 'Pay 0.05 ETH on ethereum' }).click()
    await page.getByText('the checkout page').waitFor({ timeout: 10_000 })
    expect(page.url()).toContain('/checkout/pay_1')
    expect(said.filter((line) => /security policy/i.test(line))).toEqual([])
  } finally {
    await browser.close()
    server.close()
    checkout.close()
  }
})
