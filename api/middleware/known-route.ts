/** 404 for a path that no route has, 405 for a method that its path does not take: before anything else is asked. */

import type { MiddlewareHandler } from 'hono'
import { KeyturnError } from '../../domain/errors.js'
import type { ApiApp, ApiEnv } from '../context.js'

/** HEAD is answered as GET without its body. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

/** Lets requests through that some route (not only middleware) will answer. */
export function knownRoute(app: ApiApp): MiddlewareHandler<ApiEnv> {
  return async function knownRoute(c, next) {
    const error = unknownRoute(app, c.req.method, c.req.path)
    if (error) throw error
    await next()
  }
}

/** Why no route answers the method and path; null where one does. */
export function unknownRoute(
  app: Pick<ApiApp, 'router' | 'routes'>,
  method: string,
  path: string,
): KeyturnError | null {
  const allowed = allowedMethods(app, path)
  if (allowed.includes(method)) return null
  return allowed.length > 0 ? methodNotAllowed(method, allowed) : nothingHere()
}

/** 404 for a path that is not part of the API. */
export function nothingHere(): KeyturnError {
  return new KeyturnError('NOT_FOUND', 'There is nothing here; GET /openapi.json lists every path')
}

function allowedMethods({ router, routes }: Pick<ApiApp, 'router' | 'routes'>, path: string): string[] {
  // A path that is written out (`/withdrawals/batch`) is no id of the path beside it (`/withdrawals/{id}`).
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
    `This path does not take ${method}; use ${allowed.join(' or ')}`,
    {
      details: { allow: allowed.join(', ') },
    },
  )
}
