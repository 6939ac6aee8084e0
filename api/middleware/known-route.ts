/** 404 for a path that no route has, 405 for a method that its path does not take: before anything else is asked. */

import type { MiddlewareHandler } from 'hono'
import { matchedRoutes } from 'hono/route'
import { KeyturnError } from '../../domain/errors.js'
import type { ApiApp, ApiEnv } from '../context.js'

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

/** Lets requests through that some route (not only middleware) will answer. */
export function knownRoute(app: ApiApp): MiddlewareHandler<ApiEnv> {
  return async function knownRoute(c, next) {
    if (matchedRoutes(c).some((route) => route.method !== 'ALL')) return next()
    const allowed = METHODS.filter((method) =>
      app.router.match(method, c.req.path)[0].some(([[, route]]) => route.method !== 'ALL'),
    )
    throw allowed.length > 0 ? methodNotAllowed(c.req.method, allowed) : unknownRoute()
  }
}

/** 404 for a path that is not part of the API. */
export function unknownRoute(): KeyturnError {
  return new KeyturnError('NOT_FOUND', 'There is nothing here; GET /openapi.json lists every path')
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
