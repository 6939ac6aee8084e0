/** Reads the stored parts of a file. */

import type { Queryable } from '../../connect.js'

/** Place of a part in its file. */
export interface PartPlace {
  readonly number: number
  /** Bytes before compression. */
  readonly bytes: number
}

/** Returns the places of all parts, in order. */
export async function listParts(sql: Queryable, id: string): Promise<PartPlace[]> {
  return sql<PartPlace[]>`SELECT number, bytes FROM export_parts WHERE export_id = ${id} ORDER BY number`
}

/** Returns the compressed bytes of a part. @throws Error if it was deleted. */
export async function readPart(sql: Queryable, id: string, number: number): Promise<Buffer> {
  const [row] = await sql<{ body: Buffer }[]>`
    SELECT body FROM export_parts WHERE export_id = ${id} AND number = ${number}`
  if (!row) throw new Error(`The part ${number} of ${id} was deleted`)
  return row.body
}
