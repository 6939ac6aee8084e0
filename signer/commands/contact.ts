/** Stores the time at which the platform last answered. */

import { readFileSync, writeFileSync } from 'node:fs'
import type { Home } from '../home/home.js'

/** Least interval between two writes. The time is for people. */
const INTERVAL_MS = 1_000
let written = 0

/**
 * Stores the present as the time of the last contact. Its loss costs nothing, so the write is neither synced
 * nor atomic.
 */
export function writeContact(home: Home): void {
  const now = Date.now()
  if (now - written < INTERVAL_MS) return
  written = now
  writeFileSync(home.contact, `${JSON.stringify({ last_contact: new Date(now).toISOString() })}\n`, {
    mode: 0o600,
  })
}

/** Returns the time of the last contact. `null` before the first. */
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
