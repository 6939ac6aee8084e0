/** Waits for the comparison of the address counter with the chain. */

import { setTimeout as sleep } from 'node:timers/promises'
import { isNotCompared } from '../../db/wallets/allocate-address.js'
import { KeyturnError } from '../../domain/errors.js'

const COMPARED_WITHIN_MS = 5_000
const COMPARED_CHECK_MS = 250

/**
 * Retries while the address counter is compared with the chain, which usually takes moments after a database start.
 */
export async function onceCompared<T>(allocate: () => Promise<T>): Promise<T> {
  const until = Date.now() + COMPARED_WITHIN_MS
  for (;;) {
    try {
      return await allocate()
    } catch (error) {
      if (!(error instanceof KeyturnError) || !isNotCompared(error) || Date.now() >= until) throw error
      await sleep(COMPARED_CHECK_MS)
    }
  }
}
