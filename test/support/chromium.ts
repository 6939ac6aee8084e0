/** Starts a real browser. */

import { type Browser, chromium } from 'playwright-core'
import { findChromium } from '../../local/parts/chromium.js'

/** Starts Chromium without a window. The caller closes it. */
export async function testChromium(): Promise<Browser> {
  const executablePath = await findChromium(console.log)
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] })
}
