/** A withdrawal that a user requests in a browser and follows until it is confirmed on a real chain. */

import type { Server } from 'node:http'
import type { Browser, Page } from 'playwright-core'
import { parseEther } from 'viem'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { listen } from '../../api/http/listen.js'
import { freePort } from '../../local/parts/free-port.js'
import { openPage, takePicture } from '../stage/browser-pages.js'
import { type EthereumRail, openEthereum } from '../stage/open-ethereum.js'
import { testChromium } from '../support/chromium.js'

/** Users by whether their browser runs scripts. */
const USERS = ['with scripts', 'without scripts'] as const
/** Wait for a page that asks every 5 seconds. */
const FOLLOWED = { timeout: 30_000 }
/** Wait for a page that loads itself every 15 seconds. */
const LOADED_AGAIN = { timeout: 60_000 }

let rail: EthereumRail
let browser: Browser
let platform: Server
let origin: string

beforeAll(async () => {
  const port = await freePort()
  origin = `http://127.0.0.1:${port}`
  ;[rail, browser] = await Promise.all([
    openEthereum({
      wei: parseEther('20'),
      owners: USERS,
      environment: { KEYTURN_PUBLIC_URL: origin, KEYTURN_PAGE_RATE: '100000' },
    }),
    testChromium(),
  ])
  platform = await listen(rail.stage.api.app, { host: '127.0.0.1', port })
  rail.stage.signer.run()
})
afterAll(async () => {
  await browser?.close()
  platform?.closeAllConnections()
  platform?.close()
  await rail?.close()
})

/** Lets a user enter the cashier and request a withdrawal. @returns Its id. */
async function withdraw(page: Page, user: string, to: string): Promise<string> {
  const { json } = await rail.stage.api.call({
    method: 'POST',
    path: '/api/v1/cashier-sessions',
    body: { user_reference: user, action: 'withdrawal', coins: [{ network: 'ethereum', coin: 'eth' }] },
  })
  await page.goto(json.data.url)
  await page.getByLabel('Amount in ETH').fill('1.5')
  await page.getByLabel('To this address on Ethereum').fill(to)
  await page.getByRole('button', { name: 'Continue' }).click()
  await page.getByRole('button', { name: 'Withdraw now' }).click()
  await page.waitForURL(`${origin}/cashier/withdrawals/withdrawal_*`)
  await page.locator('strong', { hasText: 'Waits for checks and approvals' }).waitFor()
  return new URL(page.url()).pathname.split('/').at(-1) ?? ''
}

test('is followed on its page to its end, by itself with scripts and by loading again without', async () => {
  const { stage, anvil, reader } = rail
  const guests = await Promise.all(
    USERS.map(async (user, index) => {
      const opened = await openPage(browser, [origin], { javaScriptEnabled: user === 'with scripts' })
      const to = `0x${String(index + 1).repeat(40)}` as const
      return { ...opened, user, to, id: await withdraw(opened.page, user, to) }
    }),
  )
  const [live, plain] = guests.map(({ page }) => page)
  if (!live || !plain) throw new Error('two users')
  let loads = 0
  live.on('framenavigated', () => {
    loads += 1
  })
  const status = (page: Page, hasText: string) => page.locator('#main strong', { hasText })
  /** Waits for a status: with scripts the page shows it, without them the user asks again by the link. */
  const untilShown = async (text: string) => {
    await status(live, text).waitFor(FOLLOWED)
    expect(await live.locator('#news').textContent()).toBe(text)
    await expect
      .poll(async () => {
        await plain.getByRole('link', { name: 'Check again' }).click()
        return status(plain, text).count()
      }, FOLLOWED)
      .toBe(1)
    for (const { page, user } of guests) await takePicture(page, `cashier-${text} ${user}`)
  }

  await rail.mining(false)
  for (const { id } of guests) {
    await stage.until(id, 'pending_approval')
    await stage.approve(id)
  }
  const views = await Promise.all(guests.map(({ id }) => stage.until(id, 'confirming')))
  const needed = views[0]?.required_confirmations ?? 0
  expect(needed).toBeGreaterThan(1)
  await untilShown(`0 of ${needed} confirmations`)
  for (const [index, view] of views.entries()) {
    expect(await guests[index]?.page.locator('#main').textContent()).toContain(view.transaction_hash)
  }
  await anvil.mine(1)
  await untilShown(`1 of ${needed} confirmations`)
  await anvil.mine(needed)
  await Promise.all([
    status(live, 'Complete').waitFor(FOLLOWED),
    // No user clicks: the page loads itself again.
    status(plain, 'Complete').waitFor(LOADED_AGAIN),
  ])
  expect(loads).toBe(0)
  for (const { page, user, to, id, problems, close } of guests) {
    expect(await reader.getBalance({ address: to })).toBe(parseEther('1.5'))
    const view = await stage.read(id)
    expect(view).toMatchObject({ status: 'confirmed', user_reference: user, approvals: { length: 2 } })
    expect(await page.locator('#main').textContent()).toContain(`Network fee${view.fee} ETH`)
    expect(await page.locator('[data-live], [http-equiv="refresh"]').count()).toBe(0)
    await takePicture(page, `cashier-complete ${user}`)
    await page.getByRole('link', { name: 'Back to the overview' }).click()
    const listed = page.getByRole('listitem').filter({ hasText: 'Withdrawal of 1.5 ETH' })
    expect(await listed.textContent()).toContain('Complete')
    expect(problems).toEqual([])
    await close()
  }
})
