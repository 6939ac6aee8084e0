/** Refuses unknown paths (404) and methods that a path does not accept (405), before any other check. */

import type { MiddlewareHandler } from 'hono'
import { KeyturnError } from '../../domain/errors.js'
import type { ApiApp, ApiEnv } from '../context.js'

/** Methods that routes may have. HEAD is answered as GET without its body. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

/** Admits requests that a route, and not only middleware, will answer. */
export function knownRoute(app: ApiApp): MiddlewareHandler<ApiEnv> {
  return async function knownRoute(c, next) {
    const error = unknownRoute(app, c.req.method, c.req.path)
    if (error) throw error
    await next()
  }
}

/** Returns the error if no route answers the method and path. `null` if one does. */
export function unknownRoute(
  app: Pick<ApiApp, 'router' | 'routes'>,
  method: string,
  path: string,
): KeyturnError | null {
  const allowed = allowedMethods(app, path)
  if (allowed.includes(method)) return null
  return allowed.length > 0 ? methodNotAllowed(method, allowed) : nothingHere()
}

/** Creates the error 404 for a path that is not part of the API. */
export function nothingHere(): KeyturnError {
  return new KeyturnError('NOT_FOUND', 'There is nothing at this path. GET /openapi.json lists every path')
}

function allowedMethods({ router, routes }: Pick<ApiApp, 'router' | 'routes'>, path: string): string[] {
  // A literal path (`/withdrawals/batch`) takes precedence over a path with an id (`/withdrawals/{id}`).
  const literal = routes.filter((route) => route.method !== 'ALL' && route.path === path)
  return METHODS.filter((method) => {
    const asked = method === 'HEAD' ? 'GET' : method
    if (literal.length > 0) return literal.some((route) => route.method === asked)
    return router.match(asked, path)[0].some(([[, route]]) => route.method !== 'ALL')
  })
}

function methodNotAllowed(method: string, allowed: readonly string[]): KeyturnError {
  return new KeyturnError(
    'METHOD_NOT_ALLOWED',
    `This path does not accept ${method}. Use ${allowed.join(' or ')}`,
    {
      details: { allow: allowed.join(', ') },
    },
  )
}
