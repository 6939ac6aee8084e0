/** Limits the streamed exports of a merchant, over all processes. */

import { KeyturnError } from '../../domain/errors.js'
import type { Transaction } from '../connect.js'

const RETRY_SECONDS = 10

/**
 * Takes one of the merchant's slots until the transaction ends, however it ends.
 *
 * @throws KeyturnError `RATE_LIMITED` if all are taken.
 */
export async function takeStreamSlot(tx: Transaction, merchantId: string, slots: number): Promise<void> {
  for (let slot = 1; slot <= slots; slot++) {
    const key = `export stream ${slot} of ${merchantId}`
    const [row] = await tx<{ taken: boolean }[]>`
      SELECT pg_try_advisory_xact_lock(hashtextextended(${key}, 0)) AS taken`
    if (row?.taken) return
  }
  throw streamsLimited(`${slots} exports of this merchant are being streamed, which is the limit`)
}

/** Creates the error for an export that must wait for another one. @param reason - Without a full stop. */
export function streamsLimited(reason: string): KeyturnError {
  return new KeyturnError(
    'RATE_LIMITED',
    `${reason}. Try again when one has ended, or create an export job`,
    {
      retryable: true,
      details: { retry_after: RETRY_SECONDS },
    },
  )
}
