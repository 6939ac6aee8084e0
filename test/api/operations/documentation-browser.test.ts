/** The reference of the API in a real browser. */

import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApi, type TestApi } from '../../stage/test-api.js'
import { testChromium } from '../../support/chromium.js'

let api: TestApi
let browser: Browser
let server: ReturnType<typeof serve>
beforeAll(async () => {
  ;[api, browser] = await Promise.all([startTestApi(), testChromium()])
  server = serve({ fetch: api.app.fetch, port: 0, hostname: '127.0.0.1' })
  if (!server.listening) await new Promise((resolve) => server.once('listening', resolve))
}, 600_000)
afterAll(async () => {
  await browser?.close()
  server?.close()
  await api?.database.drop()
})

test('shows the reference in a browser, under its content policy, without files from other sites', async () => {
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const page = await browser.newPage()
  const problems: string[] = []
  const elsewhere: string[] = []
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
  page.on('pageerror', (error) => problems.push(error.message))
  page.on('request', (request) => {
    const url = request.url()
    if (!url.startsWith(origin) && !url.startsWith('data:')) elsewhere.push(url)
  })
  await page.goto(`${origin}/docs`)
  await page.waitForSelector('#operations-tag-Addresses')
  const text = await page.textContent('#reference')
  expect(text).toContain('/api/v1/addresses')
  expect(text).toContain('/api/v1/withdrawals')
  expect(problems).toEqual([])
  expect(elsewhere).toEqual([])
  await page.close()
})
