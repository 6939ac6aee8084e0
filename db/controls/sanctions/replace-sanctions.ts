/** Replaces the list of sanctioned addresses, which every creation of a payout to others consults. */

import { sanctionKey } from '../../../domain/controls/sanction-key.js'
import { inTransaction, type Sql } from '../../connect.js'

/** Advisory lock that keeps two processes from mixing their lists at the start. Its value is arbitrary. */
const LOCK = 7_246_114_008

/**
 * Replaces the whole list in one transaction.
 *
 * @param text - One address a line. Empty lines and the text after a `#` are ignored.
 * @returns How many addresses the list has.
 */
export async function replaceSanctions(sql: Sql, text: string): Promise<number> {
  const lines = text.split('\n').map((line) => line.replace(/#.*/, '').trim())
  const keys = [...new Set(lines.filter(Boolean).map(sanctionKey))]
  await inTransaction(sql, async (tx) => {
    await tx`SELECT pg_advisory_xact_lock(${LOCK})`
    await tx`DELETE FROM sanctioned_addresses WHERE address <> ALL (${keys})`
    await tx`INSERT INTO sanctioned_addresses SELECT unnest(${keys}::text[]) ON CONFLICT DO NOTHING`
  })
  return keys.length
}
