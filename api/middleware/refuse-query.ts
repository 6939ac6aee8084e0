/** Refuses query fields on routes that accept none, as other routes refuse unknown ones. */

import type { MiddlewareHandler } from 'hono'
import { KeyturnError } from '../../domain/errors.js'
import type { ApiEnv } from '../context.js'
import type { createRouteFacts } from '../http/route-facts.js'

/** Refuses the fields and names them. It runs after authentication. */
export function refuseQuery(factsOf: ReturnType<typeof createRouteFacts>): MiddlewareHandler<ApiEnv> {
  return async function refuseQuery(c, next) {
    if (factsOf(c)?.query === false) {
      const names = [...new Set(new URL(c.req.url).searchParams.keys())]
      if (names.length > 0) {
        const shown = names.slice(0, 100).map((name) => name.slice(0, 100))
        throw new KeyturnError(
          'VALIDATION_FAILED',
          `This path accepts no query. Remove ${shown.join(', ')}`,
          {
            details: { in: 'query', fields: shown.map((path) => ({ path, reason: 'unknown field' })) },
          },
        )
      }
    }
    await next()
  }
}
