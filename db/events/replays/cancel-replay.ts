/** Cancels a replay. What it has made pending already is still sent. */

import { KeyturnError } from '../../../domain/errors.js'
import type { Transaction } from '../../connect.js'
import { findReplay } from './find-replay.js'
import type { ReplayRow } from './replay-row.js'

/**
 * Cancels a running replay. A cancelled one stays as it is.
 *
 * @returns `null` if there is none.
 * @throws KeyturnError `INVALID_STATE` if it has completed or failed.
 */
export async function cancelReplay(
  tx: Transaction,
  merchantId: string,
  endpointId: string,
  id: string,
): Promise<ReplayRow | null> {
  await tx`
    UPDATE webhook_replays SET status = 'cancelled', finished_at = clock_timestamp()
    WHERE id = ${id} AND endpoint_id = ${endpointId} AND merchant_id = ${merchantId} AND status = 'running'`
  const replay = await findReplay(tx, merchantId, endpointId, id)
  if (!replay || replay.status === 'cancelled') return replay
  throw new KeyturnError(
    'INVALID_STATE',
    `The replay is ${replay.status}. Only a running one can be cancelled`,
    {
      details: { replay_id: id, status: replay.status },
    },
  )
}
