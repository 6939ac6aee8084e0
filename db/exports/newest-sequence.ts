/** Returns the newest sequence of a dataset whose rows are numbered by the sealer. */

import type { ExportDataset } from '../../domain/books/export-dataset.js'
import type { Queryable } from '../connect.js'

/** Returns the sequence. `null` for a dataset that the sealer does not number. */
export async function newestSequence(
  sql: Queryable,
  merchantId: string,
  dataset: ExportDataset,
): Promise<bigint | null> {
  if (dataset !== 'events' && dataset !== 'audit') return null
  const table = dataset === 'events' ? sql`event_sequences` : sql`audit_heads`
  const [row] = await sql<{ sequence: bigint }[]>`
    SELECT sequence FROM ${table} WHERE merchant_id = ${merchantId}`
  return row?.sequence ?? 0n
}
