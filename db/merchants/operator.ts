/** Names the platform's own operator, and creates its API keys. */

import { createApiKey } from '../access/create-api-key.js'
import type { Sql } from '../connect.js'

/** Id under which the operator's keys, requests and audit log stand beside those of the merchants. */
export const OPERATOR = 'operator'

export interface NewOperatorKey {
  readonly name: string
  /** CIDRs or addresses from which requests that change something may come. */
  readonly ipAllowlist: readonly string[]
}

/**
 * Creates a key with the scope `operator`, which no key of a merchant can have (`api_keys_operator`).
 *
 * @param masterKeyHex - `KEYTURN_MASTER_KEY`.
 */
export async function createOperatorKey(
  sql: Sql,
  masterKeyHex: string,
  key: NewOperatorKey,
): Promise<{ readonly id: string; readonly secret: string }> {
  await sql`
    INSERT INTO merchants (id, name) VALUES (${OPERATOR}, 'Operator of the platform') ON CONFLICT (id) DO NOTHING`
  return createApiKey(sql, masterKeyHex, { merchantId: OPERATOR, scopes: ['operator'], ...key })
}
