/** Replaces the list of sanctioned addresses, which every way of asking for a withdrawal consults. */

import { sanctionKey } from '../../../domain/controls/sanction-key.js'
import { inTransaction, type Sql } from '../../connect.js'

/** Any constant will do: it keeps two processes that start together from mixing their lists. */
const LOCK = 7_246_114_008

/**
 * Replaces the whole list in one transaction.
 *
 * @param text - One address a line; empty lines and what follows a `#` are left out.
 * @returns How many addresses are on it.
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
