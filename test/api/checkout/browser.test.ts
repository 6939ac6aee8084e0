/** The checkout page in a real browser: narrow and wide, with and without scripts, in each language, live. */

import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { liveCheckouts } from '../../../api/checkout/checkout.js'
import { createApp } from '../../../api/create-app.js'
import { listen } from '../../../api/http/listen.js'
import { LANGUAGES } from '../../../api/pages/language.js'
import { loadEnvironment } from '../../../config/load-environment.js'
import type { Payment } from '../../../wire/payment.js'
import {
  expectGoodLooks,
  type OpenPage,
  openPage,
  overflow,
  type PageOptions,
  seriousFindings,
  takePicture,
  WINDOWS,
} from '../../stage/browser-pages.js'
import { type PaymentStage, startPaymentStage } from '../../stage/payments.js'
import { MASTER_KEY } from '../../stage/test-api.js'
import { testChromium } from '../../support/chromium.js'

/** Most bytes of a page and all that it loads, compressed. */
const BUDGET = 40 * 1_024

const STATES = [
  'pending',
  'soon',
  'open',
  'partial',
  'paid',
  'confirmed',
  'late',
  'expired',
  'cancelled',
] as const

let stage: PaymentStage
let browser: Browser
let live: ReturnType<typeof liveCheckouts>
let server: Awaited<ReturnType<typeof listen>>
let origin: string
const payments = new Map<string, Payment>()

beforeAll(async () => {
  ;[stage, browser] = await Promise.all([startPaymentStage('ethereum'), testChromium()])
  const { sql } = stage.api.database
  await sql`UPDATE merchants SET name = 'Blümchen & Söhne', colour = '#0b6e4f' WHERE id = ${stage.api.merchantId}`
  const dependencies = {
    ...stage.api.dependencies,
    environment: loadEnvironment({
      KEYTURN_DATABASE_URL: stage.api.database.url,
      KEYTURN_MASTER_KEY: MASTER_KEY,
      KEYTURN_PAGE_RATE: '100000',
    }),
  }
  live = liveCheckouts(dependencies)
  server = await listen(createApp(dependencies, { live }), { host: '127.0.0.1', port: 0 })
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  // Blocks of later payments would confirm the paid one.
  const order = STATES.toSorted((a, b) => Number(a === 'paid') - Number(b === 'paid'))
  for (const state of order) payments.set(state, await paymentIn(state))
}, 600_000)
afterAll(async () => {
  await browser?.close()
  await live?.close()
  server?.closeAllConnections()
  server?.close()
  await stage?.close()
})

/** Takes a payment to a state. */
async function paymentIn(state: (typeof STATES)[number]): Promise<Payment> {
  const user_reference = `user of ${state}`
  const success_url = 'https://shop.example/thanks'
  switch (state) {
    case 'open':
      return stage.open({ user_reference, amount: undefined })
    case 'soon':
      return stage
        .open({ user_reference, coin: 'usdt', amount: '1250.50', expires_in_seconds: 600_000 })
        .then(async (made) => {
          await stage.api.database.sql`
          UPDATE payments SET created_at = now() - interval '1 hour', expires_at = now() + interval '4 minutes' WHERE id = ${made.payment_id}`
          return made
        })
    default: {
      const made = await stage.open({ user_reference, order_id: `A-${state}`, amount: '0.75', success_url })
      if (state === 'partial') {
        stage.send(made.address, '0.25')
        await stage.mine(1)
      }
      if (state === 'confirmed') {
        stage.send(made.address, '0.75')
        await stage.mine(5)
      }
      if (state === 'paid') {
        stage.send(made.address, '0.75')
        await stage.mine(2)
      }
      if (state === 'expired' || state === 'late') await stage.expire(made.payment_id)
      if (state === 'late') {
        stage.send(made.address, '0.75')
        await stage.look()
      }
      if (state === 'cancelled')
        await stage.api.call({ method: 'POST', path: `/api/v1/payments/${made.payment_id}/cancel` })
      return made
    }
  }
}

const urlOf = (state: string, query = '') =>
  origin + new URL(payments.get(state)?.checkout_url ?? '').pathname + query

const open = (options?: PageOptions): Promise<OpenPage> => openPage(browser, [origin], options)

describe('with axe in each document', () => {
  let opened: OpenPage
  beforeAll(async () => {
    opened = await open({ axe: true })
  })
  afterAll(() => opened?.close())

  test.each(STATES)(
    'shows the screen "%s" without a finding, narrow and wide, in light and dark',
    async (state) => {
      const { page, problems } = opened
      await page.goto(urlOf(state))
      expect(await page.locator('h1').textContent()).not.toBe('')
      await expectGoodLooks(page, state)
      expect(problems.splice(0)).toEqual([])
    },
  )

  test.each([
    ['long and in one word', 'Bäckerei'.repeat(25), '#ffffff'],
    ['written from right to left', 'متجر الزهور "Blümchen" לחם', '#000000'],
    ['piled up from marks', `Z${'\u0300\u0315\u0316\u0360'.repeat(20)}algo`, '#777777'],
    ['of characters that hide or turn', '\u202eSho\u0007p\u2066\n\u200b\u{e0041}', '#ffee00'],
  ])('stays readable with a merchant’s name %s', async (_, name, colour) => {
    const { sql } = stage.api.database
    const [before] = await sql`SELECT name, colour FROM merchants WHERE id = ${stage.api.merchantId}`
    await sql`UPDATE merchants SET name = ${name}, colour = ${colour} WHERE id = ${stage.api.merchantId}`
    const { page, problems } = opened
    await page.goto(urlOf('pending'))
    await sql`UPDATE merchants SET ${sql(before ?? {}, 'name', 'colour')} WHERE id = ${stage.api.merchantId}`
    const shown = (await page.locator('header').textContent()) ?? ''
    expect(shown).not.toMatch(/\p{C}|\p{M}{5}/u)
    expect(await page.title()).toContain(shown)
    await expectGoodLooks(page, `pending-${colour.slice(1)}`, ['narrow'])
    expect(problems.splice(0)).toEqual([])
  })
})

describe.each([true, false])('with scripts: %s', (javaScriptEnabled) => {
  test.each(LANGUAGES)('shows each screen in "%s", narrow and wide', async (language) => {
    const { page, problems, close } = await open({ javaScriptEnabled, locale: language })
    for (const state of STATES) {
      await page.goto(urlOf(state))
      expect(await page.locator('html').getAttribute('lang')).toBe(language)
      await takePicture(page, `${state}-${language}-${javaScriptEnabled ? 'on' : 'off'}`)
      // Only a browser with scripts can be asked.
      if (!javaScriptEnabled) continue
      for (const window of [WINDOWS.wide, WINDOWS.narrow]) {
        await page.setViewportSize(window)
        expect(await overflow(page)).toBe(0)
      }
      if (state === 'pending') expect(await seriousFindings(page)).toEqual([])
    }
    expect(problems).toEqual([])
    await close()
  })
})

test('changes by itself when a deposit is seen, counted and confirmed', async () => {
  const made = await stage.open({
    user_reference: 'watches',
    amount: '2',
    success_url: 'https://shop.example/done',
  })
  const { page, problems, close } = await open()
  await page.goto(origin + new URL(made.checkout_url).pathname)
  expect(await page.locator('h1').textContent()).toBe('Pay 2 ETH')
  await expect.poll(() => live.count()).toBe(1)
  stage.send(made.address, '0.5')
  await stage.mine(1)
  await page.getByText('Pay the remaining 1.5 ETH').first().waitFor()
  stage.send(made.address, '1.5')
  await stage.mine(1)
  await page.getByText('1 of 4 confirmations').waitFor()
  await stage.mine(1)
  await page.getByText('2 of 4 confirmations').waitFor()
  expect(await page.locator('#news').textContent()).toBe('Your payment was seen')
  await stage.mine(4)
  await page.getByText('2 ETH has arrived. Thank you.').waitFor()
  expect(await page.title()).toBe('Payment complete · Blümchen & Söhne')
  expect(await page.getByRole('link', { name: 'Back to the shop' }).getAttribute('href')).toBe(
    'https://shop.example/done',
  )
  expect(problems).toEqual([])
  await close()
  await expect.poll(() => live.count()).toBe(0)
})

test('shows the end when the time is over, and a late payment after it', async () => {
  const made = await stage.open({ user_reference: 'slow' })
  await stage.api.database.sql`
    UPDATE payments SET created_at = now() - interval '1 hour', expires_at = now() + interval '3 seconds' WHERE id = ${made.payment_id}`
  const { page, close } = await open()
  await page.goto(origin + new URL(made.checkout_url).pathname)
  await page.getByText('Time left: 0:0').waitFor()
  expect(await page.locator('#clock').getAttribute('class')).toBe('clock soon')
  await page.getByText('If you have paid already, do not pay again').waitFor()
  expect(await page.locator('svg').count()).toBe(0)
  await stage.expire(made.payment_id)
  stage.send(made.address, '1')
  await stage.look()
  await page.getByRole('heading', { name: 'Your payment arrived too late' }).waitFor()
  await close()
})

test('copies the amount and the address exactly', async () => {
  const made = payments.get('soon')
  const { page, close } = await open({ permissions: ['clipboard-read', 'clipboard-write'] })
  await page.goto(urlOf('soon'))
  for (const [button, text] of [
    ['Copy the amount', '1250.5'],
    ['Copy the address', made?.address],
  ] as const) {
    await page.getByRole('button', { name: button }).click()
    await expect.poll(() => page.evaluate('navigator.clipboard.readText()')).toBe(text)
  }
  await page.locator('#news', { hasText: 'Copied' }).waitFor({ state: 'attached' })
  // The groups are set apart by style alone.
  expect(await page.locator('.address').textContent()).toBe(made?.address)
  await close()
})

test('is complete without scripts', async () => {
  const made = await stage.open({ user_reference: 'plain' })
  const { page, close } = await open({ javaScriptEnabled: false })
  await page.goto(origin + new URL(made.checkout_url).pathname)
  expect(await page.locator('svg.qr').isVisible()).toBe(true)
  expect(await page.getByRole('button').count()).toBe(0)
  expect(await page.getByRole('link', { name: 'Open in a wallet' }).getAttribute('href')).toBe(
    made.payment_uri,
  )
  stage.send(made.address, '1')
  await stage.mine(1)
  await page.getByRole('link', { name: 'Check again' }).click()
  await page.getByText('Your payment was seen').waitFor()
  await page.getByRole('link', { name: 'Deutsch' }).click()
  await page.getByText('Ihre Zahlung wurde erkannt').waitFor()
  await close()
})

test('loads at most 40 kB, compressed, with everything that belongs to the page', async () => {
  const { page, close } = await open()
  // A browser whose requests are routed keeps nothing of earlier pages.
  await page.route('**', (route) => route.continue())
  let bodies: Promise<Buffer>[] = []
  page.on('response', (response) => {
    if (!response.url().includes('/live?')) bodies.push(response.body())
  })
  for (const state of STATES) {
    bodies = []
    await page.goto(urlOf(state, '?lang=ar'), { waitUntil: 'load' })
    // The page, two stylesheets and two scripts.
    await expect.poll(() => bodies.length).toBe(5)
    const sizes = (await Promise.all(bodies)).map((body) => gzipSync(body).length)
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(BUDGET)
  }
  await close()
})
