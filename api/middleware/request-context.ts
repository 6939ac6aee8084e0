/** Sets the request id, the dependencies and the common headers. It is the first middleware. */

import { randomUUID } from 'node:crypto'
import type { MiddlewareHandler } from 'hono'
import type { ApiDependencies, ApiEnv } from '../context.js'

/** Sets `requestId`, `dependencies` and the headers of every answer. */
export function requestContext(dependencies: ApiDependencies): MiddlewareHandler<ApiEnv> {
  return async function requestContext(c, next) {
    const id = `req_${randomUUID().replaceAll('-', '')}`
    c.set('requestId', id)
    c.set('dependencies', dependencies)
    c.header('X-Request-Id', id)
    c.header('X-Content-Type-Options', 'nosniff')
    c.header('Cache-Control', 'no-store')
    await next()
  }
}
