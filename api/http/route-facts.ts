/** Looks up the route of a request in the document, for checks that its schemas do not make by themselves. */

import type { Context } from 'hono'
import { matchedRoutes } from 'hono/route'
import type { ApiApp, ApiEnv } from '../context.js'

export interface RouteFacts {
  /** Whether the route accepts query fields. Its strict schema then refuses unknown ones. */
  readonly query: boolean
  readonly bodyRequired: boolean
  /** Whether its body is an uploaded file, CSV or NDJSON. */
  readonly upload: boolean
}

/** Creates the lookup. Routes may be registered after this call. */
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
      upload: request?.body?.content['text/csv'] !== undefined,
    })
  }
  return facts
}
