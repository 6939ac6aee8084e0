/** When the platform was last heard. */

import { readFileSync, writeFileSync } from 'node:fs'
import type { Home } from '../home/home.js'

/** Not more often than this: it is for people. */
const INTERVAL_MS = 1_000
let written = 0

/** Notes that the platform was heard now; losing this costs nothing, so it is neither synced nor atomic. */
export function writeContact(home: Home): void {
  const now = Date.now()
  if (now - written < INTERVAL_MS) return
  written = now
  writeFileSync(home.contact, `${JSON.stringify({ last_contact: new Date(now).toISOString() })}\n`, {
    mode: 0o600,
  })
}

/** When the platform was last heard, or null. */
export function readContact(home: Home): string | null {
  try {
    const value: unknown = JSON.parse(readFileSync(home.contact, 'utf8'))
    const at =
      typeof value === 'object' && value !== null && 'last_contact' in value ? value.last_contact : null
    return typeof at === 'string' ? at : null
  } catch {
    return null
  }
}
