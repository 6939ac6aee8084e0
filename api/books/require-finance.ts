/** Requires those who may act on the books: a key with the scope `reconciliation`, or a person of finance. */

import type { Context } from 'hono'
import type { Queryable } from '../../db/connect.js'
import type { ApiEnv } from '../context.js'
import { requireRole } from '../http/require-role.js'
import { secured } from '../http/secured.js'

/** Declares a route of the books. Its handler calls `requireFinance` first. */
export const securedForFinance = () => secured('reconciliation', 'read', 'approvals')

/** Explains in the OpenAPI document who may call such a route. */
export const FINANCE_ONLY = 'Needs the scope `reconciliation`, or a person with the role `finance`.'

/** @throws KeyturnError `INSUFFICIENT_SCOPE`. */
export async function requireFinance(c: Context<ApiEnv>, sql: Queryable): Promise<void> {
  return requireRole(c, sql, { scope: 'reconciliation', roles: ['finance'] })
}
