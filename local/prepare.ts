/**
 * Finds, downloads or builds every real part, so that nothing waits for it later: `node --import tsx
 * local/prepare.ts`.
 */

import { findAnvil } from './parts/anvil.js'
import { findBitcoin } from './parts/bitcoin.js'
import { findChromium } from './parts/chromium.js'
import { PartMissing } from './parts/find-executable.js'
import { findLitecoin } from './parts/litecoin.js'
import { findPostgres } from './parts/postgres.js'
import type { Say } from './parts/say.js'
import { findSwtpm } from './parts/swtpm.js'
import { findTemporal } from './parts/temporal.js'
import { findTimeSkippingServer } from './parts/time-skipping.js'

const PARTS: Readonly<Record<string, (say: Say) => Promise<unknown>>> = {
  postgres: findPostgres,
  temporal: findTemporal,
  anvil: findAnvil,
  bitcoin: findBitcoin,
  litecoin: findLitecoin,
  'time-skipping': findTimeSkippingServer,
  chromium: findChromium,
  swtpm: findSwtpm,
}

const missing: string[] = []
// The parts are fetched and built side by side, and each line of progress names its part.
await Promise.all(
  Object.entries(PARTS).map(async ([name, find]) => {
    try {
      await find(console.error)
    } catch (error) {
      if (!(error instanceof PartMissing)) throw error
      console.error(`Left out: ${error.message}`)
      missing.push(name)
    }
  }),
)
// Standard output has the missing parts for the caller. Everything else went to standard error.
console.log(JSON.stringify(missing))
