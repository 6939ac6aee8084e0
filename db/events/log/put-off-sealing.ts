/** Postpones rows that cannot be sealed, and raises alerts. */

import type { Transaction } from '../../connect.js'
import { raiseAlert } from '../../operations/alerts/raise-alert.js'

/** Tables whose rows are sealed. */
export type SealedTable = 'events' | 'audit_log'

/** Kind of the alert about a row that could not be sealed, by table. */
export const UNSEALED_ALERT = { events: 'event.unsealed', audit_log: 'audit.unsealed' } as const

/** A row that the sealer could not seal. */
export interface Unsealable {
  readonly position: bigint
  readonly merchant_id: string
  /** Type of the event, or action of the audit entry. */
  readonly name: string
  readonly subject: string
  readonly error: unknown
}

/** First wait. Each further failure doubles it, up to a day. */
const FIRST_WAIT_SECONDS = 60
const LONGEST_WAIT_SECONDS = 86_400
const ERROR_LENGTH = 500

/**
 * Postpones the rows in the sealer's transaction, and raises the alert `event.unsealed` or `audit.unsealed`
 * for each. An alert about an `exception.raised` event appends no further event.
 */
export async function putOffSealing(
  tx: Transaction,
  table: SealedTable,
  rows: readonly Unsealable[],
): Promise<void> {
  for (const { position, merchant_id, name, subject, error } of rows) {
    const reason = String(error instanceof Error ? error.message : error).slice(0, ERROR_LENGTH)
    await tx`
      UPDATE ${tx(table)} SET
        seal_failures = seal_failures + 1, seal_error = ${reason},
        seal_after = clock_timestamp()
          + least(${LONGEST_WAIT_SECONDS}, ${FIRST_WAIT_SECONDS} * 2 ^ least(seal_failures, 20)) * interval '1 second'
      WHERE position = ${position.toString()}::bigint`
    // The audit log also holds acts that belong to no merchant, but an alert needs a merchant.
    const [merchant] = await tx`SELECT FROM merchants WHERE id = ${merchant_id}`
    if (!merchant) continue
    const alert = {
      merchantId: merchant_id,
      kind: UNSEALED_ALERT[table],
      severity: 'critical',
      subject: position.toString(),
      facts: {
        message:
          table === 'events'
            ? 'An event cannot be sealed, so it is not delivered. It is retried, and the other events go on'
            : 'An audit entry cannot be sealed, so it is not listed. It is retried, and the other entries go on',
        name,
        about: subject,
        reason,
      },
    } as const
    await raiseAlert(tx, alert, table === 'audit_log' || name !== 'exception.raised')
  }
}
