/** Requires a key with a scope, or the key of a person with a role. */

import type { Context } from 'hono'
import type { Queryable } from '../../db/connect.js'
import { hasRole } from '../../db/merchants/has-role.js'
import { KeyturnError } from '../../domain/errors.js'
import type { ApiEnv, Scope } from '../context.js'

export interface Entitled {
  readonly scope: Scope
  readonly roles: readonly string[]
}

/** @throws KeyturnError `INSUFFICIENT_SCOPE`. */
export async function requireRole(
  c: Context<ApiEnv>,
  sql: Queryable,
  { scope, roles }: Entitled,
): Promise<void> {
  const scopes = c.get('scopes')
  if (scopes.includes(scope)) return
  const personId = c.get('personId')
  if (personId !== null) {
    for (const role of roles) if (await hasRole(sql, c.get('merchantId'), personId, role)) return
  }
  throw new KeyturnError(
    'INSUFFICIENT_SCOPE',
    `Use a key with the scope "${scope}", or the key of a person with the role "${roles.join('" or "')}"`,
    { details: { required: scope, scopes } },
  )
}
