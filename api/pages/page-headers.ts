/** Sets the headers of pages for people: what they may load, and what browsers may keep and pass on. */

import type { MiddlewareHandler } from 'hono'
import type { ApiEnv } from '../context.js'

/** Rules by which a page differs from others. */
export interface PageRules {
  /** Whether the page sends forms, to its own origin alone. */
  readonly forms: boolean
}

/**
 * Sets a strict content policy: everything comes from the page's own origin, and nothing is inline. Nothing
 * is stored, no other site gets the address of the page, and no other site frames it.
 */
export function pageHeaders({ forms }: PageRules): MiddlewareHandler<ApiEnv> {
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    `form-action ${forms ? "'self'" : "'none'"}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ].join('; ')
  return async function pageHeaders(c, next) {
    c.header('Content-Security-Policy', policy)
    c.header('Referrer-Policy', 'no-referrer')
    c.header('X-Content-Type-Options', 'nosniff')
    c.header('X-Frame-Options', 'DENY')
    c.header('Cross-Origin-Opener-Policy', 'same-origin')
    c.header('Cache-Control', 'no-store')
    c.header('X-Robots-Tag', 'noindex')
    await next()
  }
}
