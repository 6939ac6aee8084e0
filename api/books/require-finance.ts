/** Requires those who may act on the books: a key with the scope `reconciliation`, or a person of finance. */

import type { Context } from 'hono'
import type { Queryable } from '../../db/connect.js'
import { hasRole } from '../../db/merchants/has-role.js'
import { KeyturnError } from '../../domain/errors.js'
import type { ApiEnv } from '../context.js'
import { secured } from '../http/secured.js'

/** Declares a route of the books. Its handler calls `requireFinance` first. */
export const securedForFinance = () => secured('reconciliation', 'read', 'approvals')

/** Explains in the OpenAPI document who may call such a route. */
export const FINANCE_ONLY = 'Needs the scope `reconciliation`, or a person with the role `finance`.'

/** @throws KeyturnError `INSUFFICIENT_SCOPE`. */
export async function requireFinance(c: Context<ApiEnv>, sql: Queryable): Promise<void> {
  const scopes = c.get('scopes')
  if (scopes.includes('reconciliation')) return
  const personId = c.get('personId')
  if (personId !== null && (await hasRole(sql, c.get('merchantId'), personId, 'finance'))) return
  throw new KeyturnError(
    'INSUFFICIENT_SCOPE',
    'Use a key with the scope "reconciliation", or the key of a person with the role "finance"',
    { details: { required: 'reconciliation', scopes } },
  )
}
