/** Says which scopes the roles of a person are worth. */

import type { Queryable } from '../connect.js'
import { hasRole } from './has-role.js'

/** Scope that a key of a person with the role needs not have. */
const WORTH = { finance: 'reconciliation', security: 'admin' } as const

/** Returns the scopes that every key of the person stands for, because routes accept the person's role instead. */
export async function scopesOfPerson(
  sql: Queryable,
  merchantId: string,
  personId: string | null,
): Promise<readonly string[]> {
  if (personId === null) return []
  const scopes: string[] = []
  for (const [role, scope] of Object.entries(WORTH)) {
    if (await hasRole(sql, merchantId, personId, role)) scopes.push(scope)
  }
  return scopes
}
