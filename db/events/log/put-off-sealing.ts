/** Rows that cannot be sealed wait by themselves, and people hear of them. */

import type { Transaction } from '../../connect.js'
import { raiseAlert } from '../../operations/alerts/raise-alert.js'

/** The tables whose rows are sealed. */
export type SealedTable = 'events' | 'audit_log'

/** The alert about a row that could not be sealed, by its table. */
export const UNSEALED_ALERT = { events: 'event.unsealed', audit_log: 'audit.unsealed' } as const

/** A row that the sealer could not seal. */
export interface Unsealable {
  readonly position: bigint
  readonly merchant_id: string
  /** The event's type, or the audit entry's action. */
  readonly name: string
  readonly subject: string
  readonly error: unknown
}

/** The first wait; each further failure doubles it, up to a day. */
const FIRST_WAIT_SECONDS = 60
const LONGEST_WAIT_SECONDS = 86_400
const ERROR_LENGTH = 500

/**
 * Puts the rows off, each with the alert `event.unsealed` or `audit.unsealed`, in the sealer's transaction. The alert makes no event
 * where it is about such an event itself.
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
    // The audit log also keeps acts of those who are no merchants; alerts do not.
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
            ? 'An event cannot be sealed, so it is not delivered; the others go on, and it is tried again'
            : 'An audit entry cannot be sealed, so it is not listed; the others go on, and it is tried again',
        name,
        about: subject,
        reason,
      },
    } as const
    await raiseAlert(tx, alert, table === 'audit_log' || name !== 'exception.raised')
  }
}
