/** Allows statements that sum a large month more time than others have. */

import type { Transaction } from '../../connect.js'

/**
 * Raises the limit of statements to a minute until the transaction ends. One transaction of a merchant has that
 * at a time, so that the merchant cannot keep many connections busy. Others have the usual limit.
 */
export async function allowLong(tx: Transaction, merchantId: string): Promise<void> {
  const [row] = await tx<{ taken: boolean }[]>`
    SELECT pg_try_advisory_xact_lock(hashtextextended(${`long sums of ${merchantId}`}, 0)) AS taken`
  if (row?.taken) await tx`SET LOCAL statement_timeout = '1min'`
}
