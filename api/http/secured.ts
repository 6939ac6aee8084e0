/** Declares what every route under `/api/v1` has: authentication, the scope that it needs, and idempotency. */

import type { MiddlewareHandler } from 'hono'
import { KeyturnError } from '../../domain/errors.js'
import type { ApiEnv, Scope } from '../context.js'
import { idempotency } from '../middleware/idempotency.js'

/**
 * Returns fields to spread into `createRoute`: `createRoute({ ...secured('payments'), method: 'post', path:
 * '/addresses', … })`.
 *
 * @param scopes - Scopes of which the API key must have one. Otherwise the answer is 403
 * `INSUFFICIENT_SCOPE`.
 */
export function secured(...scopes: readonly [Scope, ...Scope[]]) {
  return securedFor(undefined, ...scopes)
}

/**
 * Returns the same for a route that takes long.
 *
 * @param leaseMs - Time for which the same request, sent again, does not start a second time.
 */
export function securedFor(leaseMs: number | undefined, ...scopes: readonly [Scope, ...Scope[]]) {
  return {
    security: [{ ApiKey: [], Timestamp: [], Nonce: [], Signature: [] }],
    'x-scope': scopes.join(' or '),
    middleware: [requireScope(...scopes), idempotency(leaseMs)] as MiddlewareHandler<ApiEnv>[],
  }
}

/** Refuses keys without one of the scopes. */
export function requireScope(...scopes: readonly [Scope, ...Scope[]]): MiddlewareHandler<ApiEnv> {
  return async function requireScope(c, next) {
    if (!scopes.some((scope) => c.get('scopes').includes(scope))) {
      throw new KeyturnError(
        'INSUFFICIENT_SCOPE',
        `This API key lacks the scope "${scopes.join('" or "')}". Use a key that has it`,
        { details: { required: scopes.length === 1 ? scopes[0] : scopes, scopes: c.get('scopes') } },
      )
    }
    await next()
  }
}
