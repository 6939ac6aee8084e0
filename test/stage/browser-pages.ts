/** Opens pages in a real browser, collects what they do wrong, and checks how they look. */

import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { AxeBuilder } from '@axe-core/playwright'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { expect } from 'vitest'

/** Windows of a phone and of a desktop. */
export const WINDOWS = { narrow: { width: 360, height: 740 }, wide: { width: 1440, height: 900 } } as const
/** Folder for pictures. Without it none are taken. */
const PICTURES = process.env.KEYTURN_TEST_PICTURES
const AXE_SOURCE = readFileSync(
  createRequire(createRequire(import.meta.url).resolve('@axe-core/playwright')).resolve(
    'axe-core/axe.min.js',
  ),
  'utf8',
)
/** Evaluated instead of axe's source where the page has it already. Empty text would not be. */
const NO_SOURCE = '0'

export interface OpenPage {
  readonly page: Page
  /** Console errors, reports of the content policy, errors of scripts, and requests to other origins. */
  readonly problems: string[]
  close(): Promise<void>
}

export interface PageOptions extends BrowserContextOptions {
  /** Whether each document gets axe when it is made. That is quicker where most of them are checked by it. */
  readonly axe?: boolean
}

/**
 * Opens a page that belongs to no other one.
 *
 * @param origins - Origins from which it may load.
 */
export async function openPage(
  browser: Browser,
  origins: readonly string[],
  { axe = false, ...options }: PageOptions = {},
): Promise<OpenPage> {
  const context = await browser.newContext({ viewport: WINDOWS.narrow, locale: 'en', ...options })
  if (axe) await context.addInitScript(AXE_SOURCE)
  const page = await context.newPage()
  const problems: string[] = []
  page.on('console', (message) => {
    // A browser writes each answer from 400 on as an error, which refused forms are, and the first answer to
    // a visitor of another site.
    if (message.type() === 'error' && !/status of (401|422)/.test(message.text()))
      problems.push(message.text())
  })
  page.on('pageerror', (error) => problems.push(error.message))
  page.on('request', (request) => {
    const url = request.url()
    if (![...origins, 'data:'].some((each) => url.startsWith(each))) problems.push(`loads ${url}`)
  })
  return { page, problems, close: () => context.close() }
}

/**
 * Checks a page as it is, in windows, in light and dark: nothing is wider than the window, and axe finds
 * nothing serious. The page is left in the last window, in light.
 *
 * @param name - Name of its pictures.
 */
export async function expectGoodLooks(
  page: Page,
  name: string,
  windows: readonly (keyof typeof WINDOWS)[] = ['wide', 'narrow'],
): Promise<void> {
  for (const window of windows) {
    await page.setViewportSize(WINDOWS[window])
    for (const colorScheme of ['dark', 'light'] as const) {
      await page.emulateMedia({ colorScheme })
      expect(await overflow(page)).toBe(0)
      expect(await seriousFindings(page)).toEqual([])
      await takePicture(page, `${name}-${window}-${colorScheme}`)
    }
  }
}

/** Returns how many pixels the page is wider than its window. */
export function overflow(page: Page): Promise<number> {
  return page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth')
}

/** Returns what axe finds that is serious. */
export async function seriousFindings(page: Page): Promise<string[]> {
  const hasAxe = await page.evaluate<boolean>('"axe" in window')
  // For pages with frames axe would open another page. Ours have none.
  const { violations } = await new AxeBuilder({ page, axeSource: hasAxe ? NO_SOURCE : AXE_SOURCE })
    .setLegacyMode()
    .options({ resultTypes: ['violations'] })
    .analyze()
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`)
}

/** Takes a picture of the whole page, where a folder is given. */
export async function takePicture(page: Page, name: string): Promise<void> {
  if (PICTURES === undefined) return
  mkdirSync(PICTURES, { recursive: true })
  await page.screenshot({ path: `${PICTURES}/${name}.png`, fullPage: true })
}
