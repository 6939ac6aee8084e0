/** What every route under `/api/v1` is declared with: the scope it needs, and idempotency. */

import type { MiddlewareHandler } from 'hono'
import { KeyturnError } from '../domain/errors.js'
import type { ApiEnv, Scope } from './context.js'
import { idempotency } from './middleware/idempotency.js'

/**
 * Spread into `createRoute`: `createRoute({ ...secured('payments'), method: 'post', path: '/addresses', … })`.
 *
 * @param scope - The scope that the API key must have, else 403 `INSUFFICIENT_SCOPE`.
 */
export function secured(scope: Scope) {
  return {
    security: [{ ApiKey: [], Timestamp: [], Nonce: [], Signature: [] }],
    'x-scope': scope,
    middleware: [requireScope(scope), idempotency()] as MiddlewareHandler<ApiEnv>[],
  }
}

/** Lets only keys with the scope through. */
export function requireScope(scope: Scope): MiddlewareHandler<ApiEnv> {
  return async function requireScope(c, next) {
    if (!c.get('scopes').includes(scope)) {
      throw new KeyturnError(
        'INSUFFICIENT_SCOPE',
        `This API key lacks the scope "${scope}"; use a key that has it`,
        { details: { required: scope, scopes: c.get('scopes') } },
      )
    }
    await next()
  }
}
