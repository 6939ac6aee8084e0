/** Returns an exception to what it was before a resolution that was not booked. */

import type { Transaction } from '../../connect.js'
import type { ExceptionResolutionRow } from '../../controls/changes/control-change-row.js'
import { commentException, lockException, moveException, proposeRootCause } from './change-exception.js'

/** Actor of what becomes of a request. */
const ACTOR = 'system:controls'

/** Writes why a request was not booked, and opens the exception again unless a person owns it. */
export async function returnException(
  tx: Transaction,
  { merchant_id: merchantId, intent }: Pick<ExceptionResolutionRow, 'merchant_id' | 'intent'>,
  why: string,
): Promise<void> {
  const row = await lockException(tx, merchantId, intent.exception)
  const actor = { by: ACTOR, actor: ACTOR }
  if (row.proposed_root_cause !== null) await proposeRootCause(tx, row, null)
  await commentException(tx, row, `${intent.resolution}: ${why}`, actor)
  if (row.status === 'in_progress' && row.owner === null) {
    await moveException(tx, row, 'open', actor, `${intent.resolution} was not booked`)
  }
}
