/** Finds a browser for tests and screenshots. */

import { existsSync } from 'node:fs'
import { PartMissing } from './find-executable.js'
import { findOnPath, isExecutable } from './find-on-path.js'
import { installDebianPackage } from './install-debian-package.js'
import { runToEnd } from './run-to-end.js'
import type { Say } from './say.js'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/**
 * Finds Chromium: `KEYTURN_CHROMIUM_BIN`, PATH, Playwright's own or its download, and for root on Debian the
 * distribution's package.
 *
 * @throws PartMissing when none of them has it.
 */
export async function findChromium(say: Say): Promise<string> {
  const named = process.env.KEYTURN_CHROMIUM_BIN
  if (named) {
    if (!isExecutable(named))
      throw new PartMissing(`Chromium: KEYTURN_CHROMIUM_BIN=${named} is not executable`)
    return named
  }
  const onPath = () => NAMES.map(findOnPath).find((path) => path !== null)
  const { chromium } = await import('playwright-core')
  const found = onPath() ?? (existsSync(chromium.executablePath()) ? chromium.executablePath() : undefined)
  if (found) return found
  say('Chromium is not here yet: downloading it')
  await runToEnd('npx', ['playwright-core', 'install', 'chromium'], { say })
  if (existsSync(chromium.executablePath())) return chromium.executablePath()
  const failure = await installDebianPackage('chromium', 'Chromium', say)
  const installed = onPath()
  if (!installed)
    throw new PartMissing(
      `Chromium cannot be had here (${failure ?? 'the package has none'}); set KEYTURN_CHROMIUM_BIN`,
    )
  return installed
}
