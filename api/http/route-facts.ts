/** What the document says of the route that answers a request: also what its schemas do not check by themselves. */

import type { Context } from 'hono'
import { matchedRoutes } from 'hono/route'
import type { ApiApp, ApiEnv } from '../context.js'

export interface RouteFacts {
  /** Whether it takes query fields; then its own strict schema names those that it does not know. */
  readonly query: boolean
  readonly bodyRequired: boolean
}

/** Makes the look-up; the routes may be registered later than this is called. */
export function createRouteFacts(app: ApiApp): (c: Context<ApiEnv>) => RouteFacts | undefined {
  let facts: Map<string, RouteFacts> | null = null
  return (c) => {
    facts ??= readFacts(app)
    const route = matchedRoutes(c).findLast((each) => each.method !== 'ALL')
    return route && facts.get(`${route.method} ${route.path}`)
  }
}

function readFacts(app: ApiApp): Map<string, RouteFacts> {
  const facts = new Map<string, RouteFacts>()
  for (const definition of app.openAPIRegistry.definitions) {
    if (definition.type !== 'route') continue
    const { method, path, request } = definition.route
    facts.set(`${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`, {
      query: request?.query !== undefined,
      bodyRequired: request?.body?.required === true,
    })
  }
  return facts
}
