/** Reads the sealed secrets that sign for an endpoint. */

import type { Queryable } from '../../connect.js'

/** Returns the sealed secrets that sign now: the present one, and the previous one during its grace period. */
export async function findEndpointSecrets(sql: Queryable, endpointId: string): Promise<Buffer[]> {
  const [row] = await sql<{ secret_sealed: Buffer; previous: Buffer | null }[]>`
    SELECT secret_sealed, CASE WHEN previous_secret_until > now() THEN previous_secret_sealed END AS previous
    FROM webhook_endpoints WHERE id = ${endpointId}`
  return row ? [row.secret_sealed, ...(row.previous === null ? [] : [row.previous])] : []
}
