/**
 * Passes over further attempts that a signer leaves unanswered for long, so that a stuck payout can be
 * replaced or cancelled.
 */

import type { Networks } from '../../../domain/chain/network.js'
import { SENT_PAYOUTS } from '../../../domain/payouts/stage-sets.js'
import type { Sql } from '../../connect.js'
import { members } from '../../members.js'
import { serveEach } from '../../signing/serve-each.js'
import { lockWithdrawal } from '../payout-row.js'
import { passOver } from './pass-over.js'

/** Most that one sweep passes over. The next sweep takes the next. */
const BATCH = 50
/**
 * Number of unanswered attempts of one payout after which no further one is passed over automatically. A
 * person may order it.
 */
const MOST_UNANSWERED = 3

/**
 * Passes over further attempts whose signer has not answered for so long although it is online and not
 * stopped. First attempts have their own rule (`passUnanswered`), because nothing of them is signed.
 *
 * @returns The ids of their payouts, whose workflows may be woken.
 * @throws The first error, after each payout was tried.
 */
export async function passFurther(sql: Sql, networks: Networks, afterMs: number): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    SELECT request.payout_id AS id
    FROM signing_requests request
    JOIN signers signer ON signer.id = request.signer_id
    JOIN attempts attempt ON attempt.id = request.transaction_id
    JOIN payouts withdrawal ON withdrawal.id = request.payout_id
    WHERE request.state = 'leased' AND request.passed_at IS NULL AND attempt.state = 'built'
      AND attempt.network = ANY (${[...networks.keys()]}) AND withdrawal.stage IN ${members(sql, SENT_PAYOUTS)}
      AND signer.online AND signer.stopped IS NULL
      AND request.first_leased_at < clock_timestamp() - ${afterMs} * interval '1 millisecond'
      AND NOT EXISTS (
        SELECT FROM attempts mined WHERE mined.payout_id = request.payout_id AND mined.state IN ('mined', 'final'))
      AND ${MOST_UNANSWERED} > (
        SELECT count(*) FROM signing_requests passed JOIN attempts other ON other.id = passed.transaction_id
        WHERE passed.payout_id = request.payout_id AND passed.passed_at IS NOT NULL AND other.state = 'built')
    ORDER BY request.first_leased_at LIMIT ${BATCH}`
  return serveEach(sql, rows, async (tx, id) =>
    passOver(tx, await lockWithdrawal(tx, id), 'system:withdrawal'),
  )
}
