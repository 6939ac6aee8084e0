/** What every route under `/api/v1` is declared with: the scope it needs, and idempotency. */

import type { MiddlewareHandler } from 'hono'
import { KeyturnError } from '../../domain/errors.js'
import type { ApiEnv, Scope } from '../context.js'
import { idempotency } from '../middleware/idempotency.js'

/**
 * Spread into `createRoute`: `createRoute({ ...secured('payments'), method: 'post', path: '/addresses', … })`.
 *
 * @param scopes - One of them the API key must have, else 403 `INSUFFICIENT_SCOPE`.
 */
export function secured(...scopes: readonly [Scope, ...Scope[]]) {
  return {
    security: [{ ApiKey: [], Timestamp: [], Nonce: [], Signature: [] }],
    'x-scope': scopes.join(' or '),
    middleware: [requireScope(...scopes), idempotency()] as MiddlewareHandler<ApiEnv>[],
  }
}

/** Lets only keys with one of the scopes through. */
export function requireScope(...scopes: readonly [Scope, ...Scope[]]): MiddlewareHandler<ApiEnv> {
  return async function requireScope(c, next) {
    if (!scopes.some((scope) => c.get('scopes').includes(scope))) {
      throw new KeyturnError(
        'INSUFFICIENT_SCOPE',
        `This API key lacks the scope "${scopes.join('" or "')}"; use a key that has it`,
        { details: { required: scopes.length === 1 ? scopes[0] : scopes, scopes: c.get('scopes') } },
      )
    }
    await next()
  }
}
