/** Takes the hash that an upload announces, so that its signature is verified before its body is read. */

import type { Context, MiddlewareHandler } from 'hono'
import { KeyturnError } from '../../domain/errors.js'
import type { ApiEnv, Upload } from '../context.js'
import type { createRouteFacts } from '../http/route-facts.js'

/** Format of an upload, by its media type. */
const FORMATS = [
  ['csv', /^text\/csv\s*(;|$)/i],
  ['ndjson', /^application\/x-ndjson\s*(;|$)/i],
] as const
const SHA256 = /^[0-9a-f]{64}$/

/**
 * Sets the format of an upload, and its hash where `X-Content-Sha256` announces it. Another media type is left to
 * `readBody`, and `jsonBody` refuses it after authentication.
 */
export function announceUpload(factsOf: ReturnType<typeof createRouteFacts>): MiddlewareHandler<ApiEnv> {
  return async function announceUpload(c, next) {
    const format = factsOf(c)?.upload === true ? formatOf(c) : undefined
    if (format === undefined) return next()
    c.set('uploadFormat', format)
    const announced = c.req.header('x-content-sha256')
    if (announced !== undefined) {
      if (!SHA256.test(announced)) throw notAHash()
      c.set('bodySha256', announced)
    }
    await next()
  }
}

function formatOf(c: Context<ApiEnv>): Upload['format'] | undefined {
  const type = c.req.header('content-type') ?? ''
  return FORMATS.find(([, pattern]) => pattern.test(type))?.[0]
}

function notAHash(): KeyturnError {
  const reason = '64 lower-case hexadecimal digits'
  return new KeyturnError('VALIDATION_FAILED', `Send X-Content-Sha256 as ${reason}, or leave it out`, {
    details: { in: 'header', fields: [{ path: 'X-Content-Sha256', reason }] },
  })
}
