/** Lets open payments count what a reorg puts in the place of blocks that were older than they are. */

import type { Transaction } from '../connect.js'

/**
 * Lowers the height from which open payments count to that of a fork. What the removed blocks paid is
 * recorded without these payments, and stays so. A payment that was created above the scanned height keeps
 * its own, because nothing is recorded of the blocks between. Call it after the ledger was written: it locks
 * payments.
 *
 * @param from - Height up to which the chain was scanned before the reorg.
 */
export async function lowerOpenPayments(
  tx: Transaction,
  network: string,
  from: number,
  fork: number,
): Promise<void> {
  await tx`
    UPDATE payments SET created_height = ${fork}
    WHERE network = ${network} AND amount IS NULL AND ended_at IS NULL AND expires_at > statement_timestamp()
      AND created_height > ${fork} AND created_height <= ${from}`
}
