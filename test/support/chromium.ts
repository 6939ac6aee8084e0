/** A real browser. */

import { type Browser, chromium } from 'playwright-core'
import { findChromium } from '../../local/parts/chromium.js'

/** Starts Chromium without a window; close it after use. */
export async function testChromium(): Promise<Browser> {
  const executablePath = await findChromium(console.log)
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] })
}
