/** The cashier in a real browser: from a link of another site to its end, with and without scripts. */

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApp } from '../../api/create-app.js'
import { listen } from '../../api/http/listen.js'
import { LANGUAGES } from '../../api/pages/language.js'
import { loadEnvironment } from '../../config/load-environment.js'
import {
  expectGoodLooks,
  type OpenPage,
  openPage,
  overflow,
  type PageOptions,
  seriousFindings,
  takePicture,
  WINDOWS,
} from '../stage/browser-pages.js'
import { type PaymentStage, startPaymentStage } from '../stage/payments.js'
import { MASTER_KEY, signedHeaders } from '../stage/test-api.js'
import { testChromium } from '../support/chromium.js'

const FOREIGN = '0x742d35Cc6634C0532925a3b844Bc454e4438f44e'

let stage: PaymentStage
let browser: Browser
let platform: Awaited<ReturnType<typeof listen>>
let shop: Server
let origin: string
let shopUrl: string
/** Link to which the shop's page leads. */
let link: string

beforeAll(async () => {
  ;[stage, browser] = await Promise.all([startPaymentStage('ethereum'), testChromium()])
  await stage.api.database
    .sql`UPDATE merchants SET name = 'Blümchen & Söhne', colour = '#0b6e4f' WHERE id = ${stage.api.merchantId}`
  // The port has to be known before the links are made.
  const probe = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => probe.once('listening', resolve))
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  origin = `http://127.0.0.1:${port}`
  const app = createApp({
    ...stage.api.dependencies,
    environment: loadEnvironment({
      KEYTURN_DATABASE_URL: stage.api.database.url,
      KEYTURN_MASTER_KEY: MASTER_KEY,
      KEYTURN_PUBLIC_URL: origin,
      KEYTURN_PAGE_RATE: '100000',
    }),
  })
  platform = await listen(app, { host: '127.0.0.1', port })
  shop = createServer((_, response) => {
    response.setHeader('Content-Type', 'text/html')
    response.end(`<!doctype html><title>Shop</title><a href="${link}">Cashier</a>`)
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => shop.once('listening', resolve))
  // Another host name, because a port does not make another site.
  shopUrl = `http://localhost:${(shop.address() as AddressInfo).port}/`
  await fund('2', 'withdrawer on', 'withdrawer off', ...LANGUAGES.map((each) => `speaker ${each}`))
}, 600_000)
afterAll(async () => {
  await browser?.close()
  for (const server of [platform, shop]) {
    server?.closeAllConnections()
    server?.close()
  }
  await stage?.close()
})

async function newLink(fields: Readonly<Record<string, unknown>>): Promise<string> {
  const path = '/api/v1/cashier-sessions'
  const body = JSON.stringify({ return_url: 'https://shop.example/account', ...fields })
  const answer = await fetch(origin + path, {
    method: 'POST',
    headers: {
      ...signedHeaders(stage.api.key, { path, method: 'POST', body }),
      'Content-Type': 'application/json',
    },
    body,
  })
  return ((await answer.json()) as { data: { url: string } }).data.url
}

/** Gives users so much, in one block. */
async function fund(amount: string, ...users: readonly string[]): Promise<void> {
  for (const user_reference of users) {
    const body = { user_reference, network: 'ethereum' }
    const { json } = await stage.api.call({ method: 'POST', path: '/api/v1/addresses', body })
    stage.send(json.data.address, amount)
  }
  await stage.mine(6)
}

const newUser = (options?: PageOptions): Promise<OpenPage> => openPage(browser, [origin, shopUrl], options)

/** Follows the shop's link to the overview. */
async function arrive(page: Page, fields: Readonly<Record<string, unknown>>): Promise<void> {
  link = await newLink(fields)
  await page.goto(shopUrl)
  await page.getByRole('link').click()
  await page.waitForURL(`${origin}/cashier?again`)
  await page.waitForSelector('#main')
}

describe.each([
  ['narrow', true],
  ['wide', false],
] as const)('in a %s window, with scripts: %s', (window, javaScriptEnabled) => {
  const label = javaScriptEnabled ? 'on' : 'off'
  const open = () => newUser({ viewport: WINDOWS[window], javaScriptEnabled, axe: javaScriptEnabled })

  /** Checks a page as it is. Only a browser with scripts can be asked. */
  const look = (page: Page, name: string) =>
    javaScriptEnabled
      ? expectGoodLooks(page, `cashier-${name}-${label}`)
      : takePicture(page, `cashier-${name}-${label}`)

  test('leads from a link of another site to an address, which the user asks for', async () => {
    const { page, problems, close } = await open()
    await arrive(page, { user_reference: `depositor ${label}`, action: 'deposit' })
    await look(page, 'deposit')
    const bitcoin = page.locator('details.coin').filter({ hasText: 'Bitcoin' }).first()
    await bitcoin.locator('summary').first().click()
    await bitcoin.getByRole('button', { name: 'Get an address' }).click()
    await page.waitForURL(`${origin}/cashier?network=bitcoin&coin=btc`)
    const address = page.locator('details[open] code.address').first()
    const shown = await address.textContent()
    expect(shown).toMatch(/^bcrt1q|^bc1q|^tb1q/)
    expect(await page.locator('details[open] svg.qr').isVisible()).toBe(true)
    expect(await page.getByRole('button', { name: 'Copy the address' }).isVisible()).toBe(javaScriptEnabled)
    await look(page, 'address')
    // Another language leaves open what was chosen.
    await page.getByRole('link', { name: 'Deutsch' }).click()
    await page.getByRole('heading', { name: 'Einzahlen' }).waitFor()
    expect(await address.textContent()).toBe(shown)
    expect(problems).toEqual([])
    await close()
  })

  test('leads from a link of another site through a corrected form to a withdrawal and its status', async () => {
    const user = `withdrawer ${label}`
    const { page, problems, close } = await open()
    const inputs = () =>
      Promise.all(['amount', 'to_address'].map((name) => page.locator(`input[name=${name}]`).inputValue()))
    await arrive(page, {
      user_reference: user,
      action: 'withdrawal',
      coins: [{ network: 'ethereum', coin: 'eth' }],
    })
    await page.getByLabel('Amount in ETH').fill('9')
    await page.getByLabel('To this address on Ethereum').fill(FOREIGN)
    if (javaScriptEnabled) {
      await page.locator('[data-error="amount"]').filter({ hasText: 'You have 2 ETH' }).waitFor()
    }
    await page.getByRole('button', { name: 'Continue' }).click()
    await page.getByRole('alert').waitFor()
    expect(await inputs()).toEqual(['9', FOREIGN])
    expect(await page.locator('[data-error="amount"]').textContent()).toContain('You have 2 ETH')
    await look(page, 'refused')
    // Another language keeps what was typed, also since the page was loaded.
    await page.getByLabel('Amount in ETH').fill('8')
    await page.getByRole('button', { name: 'Deutsch' }).click()
    await page.locator('[data-error="amount"]').filter({ hasText: 'Sie haben 2 ETH' }).waitFor()
    expect(await inputs()).toEqual(['8', FOREIGN])
    await page.getByRole('button', { name: 'English' }).click()
    await page.locator('[data-error="amount"]').filter({ hasText: 'You have 2 ETH' }).waitFor()
    await page.getByLabel('Amount in ETH').fill('0.5')
    if (javaScriptEnabled) {
      await page.locator('[data-outlook]').filter({ hasText: 'Arrives' }).waitFor()
      expect(await page.locator('[aria-invalid]').count()).toBe(0)
      await look(page, 'typed')
    }
    await page.getByRole('button', { name: 'Continue' }).click()
    await page.getByRole('heading', { name: 'Withdraw 0.5 ETH?' }).waitFor()
    await look(page, 'confirm')
    await page.getByRole('button', { name: 'Français' }).click()
    await page.getByRole('heading', { name: 'Retirer 0.5 ETH' }).waitFor()
    expect((await page.locator('code.address').textContent())?.trim()).toBe(FOREIGN)
    await page.getByRole('button', { name: 'English' }).click()
    // The user changes their mind, and what was typed is there.
    await page.getByRole('button', { name: 'Change something' }).click()
    expect(await inputs()).toEqual(['0.5', FOREIGN])
    await page.getByRole('button', { name: 'Continue' }).click()
    await page.getByRole('button', { name: 'Withdraw now' }).click()
    await page.waitForURL(`${origin}/cashier/withdrawals/withdrawal_*`)
    expect(await page.locator('strong').first().textContent()).toBe('Waits for checks and approvals')
    await look(page, 'status')
    const id = new URL(page.url()).pathname.split('/').at(-1) ?? ''
    const { json } = await stage.api.call({ path: `/api/v1/withdrawals/${id}` })
    expect(json.data).toMatchObject({ amount: '0.5', to_address: FOREIGN, user_reference: user })
    // Its end is shown without a click with scripts, and after the next loading without.
    await stage.api.call({ method: 'DELETE', path: `/api/v1/withdrawals/${id}` })
    if (!javaScriptEnabled) await page.reload()
    await page.getByText('Was cancelled').first().waitFor({ timeout: 15_000 })
    expect(await page.locator('[http-equiv="refresh"]').count()).toBe(0)
    await page.getByRole('link', { name: 'Back to the overview' }).click()
    await page.getByRole('heading', { name: 'Your latest withdrawals' }).waitFor()
    await look(page, 'overview')
    expect(problems).toEqual([])
    await close()
  })
})

describe('in one browser', () => {
  let opened: OpenPage
  beforeAll(async () => {
    opened = await newUser({ locale: 'nl', axe: true })
  })
  afterAll(() => opened?.close())

  test('stays in its window, and readable, with a merchant’s long name on a white ground', async () => {
    const { sql } = stage.api.database
    const [before] = await sql`SELECT name, colour FROM merchants WHERE id = ${stage.api.merchantId}`
    const name = 'Bäckerei'.repeat(25)
    await sql`UPDATE merchants SET name = ${name}, colour = '#ffffff' WHERE id = ${stage.api.merchantId}`
    const { page, problems } = opened
    await page.goto(await newLink({ user_reference: 'speaker en', action: 'withdrawal', language: 'en' }))
    await page.getByRole('link', { name }).waitFor()
    await sql`UPDATE merchants SET ${sql(before ?? {}, 'name', 'colour')} WHERE id = ${stage.api.merchantId}`
    await page.locator('details.coin summary').first().click()
    await expectGoodLooks(page, 'cashier-long-name', ['narrow'])
    expect(problems.splice(0)).toEqual([])
  })

  test.each(LANGUAGES)('speaks "%s" on each page', async (language) => {
    const { page, problems } = opened
    const enter = async (action: string) => {
      await page.goto(await newLink({ user_reference: `speaker ${language}`, action, language }))
      await page.waitForSelector('#main')
    }
    /** Texts differ by language, and with them what fits. The direction changes all else but the colours. */
    async function look(name: string): Promise<void> {
      if (language === 'ar') return expectGoodLooks(page, `cashier-${name}-${language}`, ['narrow'])
      expect(await overflow(page)).toBe(0)
      expect(await seriousFindings(page)).toEqual([])
      await takePicture(page, `cashier-${name}-${language}`)
    }
    await enter('withdrawal')
    expect(await page.locator('html').getAttribute('lang')).toBe(language)
    await page.locator('details.coin summary').first().click()
    await look('withdraw')
    const form = page.locator('details[open] form')
    await form.locator('[name=amount]').fill('x')
    await form.locator('[name=to_address]').fill('y')
    await form.locator('button').last().click()
    await page.getByRole('alert').waitFor()
    await look('refused')
    await page.locator('details[open] [name=amount]').fill('0.25')
    await page.locator('details[open] [name=to_address]').fill(FOREIGN)
    await page.locator('details[open] button').last().click()
    await page.locator('[data-arrives]').waitFor()
    await look('confirm')
    await page.locator('main .button').click()
    await page.waitForURL(`${origin}/cashier/withdrawals/withdrawal_*`)
    await look('status')
    await enter('deposit')
    await page.locator('details.coin').filter({ hasText: 'ETH' }).locator('summary').first().click()
    await look('deposit')
    expect(problems.splice(0)).toEqual([])
  })
})

test('says in a browser without cookies that there is no session, and does not load itself endlessly', async () => {
  const { page, close } = await newUser()
  await page.route('**/cashier/enter/**', (route) =>
    route.fulfill({ status: 303, headers: { location: '/cashier' } }),
  )
  link = `${origin}/cashier/enter/x`
  await page.goto(shopUrl)
  await page.getByRole('link').click()
  await page.getByRole('heading', { name: 'Please open this page again' }).waitFor()
  expect(page.url()).toBe(`${origin}/cashier?again`)
  await close()
})
