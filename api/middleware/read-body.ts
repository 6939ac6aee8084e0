/** Reads the body once, up to a limit. Its raw bytes are verified, hashed and parsed. */

import type { Context, MiddlewareHandler } from 'hono'
import { KeyturnError } from '../../domain/errors.js'
import type { ApiEnv } from '../context.js'
import { unsupportedMediaType, unsupportedUpload } from '../http/map-error.js'
import type { createRouteFacts } from '../http/route-facts.js'
import { checkJson } from './check-json.js'

const EMPTY = new Uint8Array(0)
const JSON_TYPE = /^application\/json\s*(;|$)/i

/**
 * Sets `rawBody` and `sentPath`.
 *
 * @param limit - Most bytes (`KEYTURN_BODY_LIMIT`). A longer body is 413 `BODY_TOO_LARGE` and is not read on.
 */
export function readBody(limit: number): MiddlewareHandler<ApiEnv> {
  return async function readBody(c, next) {
    c.set('sentPath', sentPath(c))
    // An upload is on the disk, or comes there once its announced hash has been verified.
    const uploads = c.get('bodySha256') !== undefined
    const bodyless = c.req.method === 'GET' || c.req.method === 'HEAD' || uploads
    c.set('rawBody', bodyless ? EMPTY : await read(c, limit))
    await next()
  }
}

/** Accepts only JSON bodies in UTF-8 (otherwise 415 or `MALFORMED_JSON`). It runs after authentication. */
export function jsonBody(factsOf: ReturnType<typeof createRouteFacts>): MiddlewareHandler<ApiEnv> {
  return async function jsonBody(c, next) {
    const body = c.get('rawBody')
    if (c.get('upload') !== undefined) return next()
    if (body.length > 0) {
      if (factsOf(c)?.upload === true) throw unsupportedUpload()
      if (!JSON_TYPE.test(c.req.header('content-type') ?? '')) throw unsupportedMediaType()
      handOn(c, decodeJson(body))
    } else if (c.req.method !== 'GET') {
      if (factsOf(c)?.bodyRequired) throw bodyRequired()
      handOn(c, c.req.header('content-type') === undefined ? '' : '{}')
    }
    await next()
  }
}

/**
 * Puts the text into Hono's body cache, which it parses. The cache holds promises, although its type does not
 * say so.
 */
function handOn(c: Context<ApiEnv>, text: string): void {
  ;(c.req.bodyCache as { text?: unknown }).text = Promise.resolve(text)
}

/** Returns the path with its query exactly as sent, because the client signed it in this form. */
function sentPath(c: Context<ApiEnv>): string {
  const sent = c.env?.incoming?.url
  if (sent !== undefined) return sent
  const { url } = c.req
  return url.slice(url.indexOf('/', url.indexOf('//') + 2))
}

async function read(c: Context<ApiEnv>, limit: number): Promise<Uint8Array> {
  const announced = c.req.header('content-length')
  if (announced !== undefined && Number(announced) > limit) throw tooLarge(limit)
  try {
    // Node refuses a body that is longer than announced, so only a body without a length has to be counted.
    if (announced !== undefined && c.env?.incoming) return new Uint8Array(await c.req.raw.arrayBuffer())
    return await count(c.req.raw.body, limit)
  } catch (cause) {
    if (cause instanceof KeyturnError) throw cause
    // The connection's own error (ECONNRESET) would look like the database's.
    throw new KeyturnError('MALFORMED_JSON', 'The body was cut off before its end. Send it again', { cause })
  }
}

async function count(body: ReadableStream<Uint8Array> | null, limit: number): Promise<Uint8Array> {
  if (!body) return EMPTY
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    length += chunk.length
    if (length > limit) throw tooLarge(limit)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, length)
}

/**
 * Returns the text of a JSON body, whose values can be parsed, stored and returned unchanged.
 *
 * @throws KeyturnError `MALFORMED_JSON` if it is not UTF-8, `VALIDATION_FAILED` if `checkJson` refuses it.
 */
export function decodeJson(body: Uint8Array): string {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)
  } catch (cause) {
    throw new KeyturnError('MALFORMED_JSON', 'The body is not UTF-8. Encode it as UTF-8 and send it again', {
      cause,
    })
  }
  const reason = checkJson(text)
  if (reason !== null) {
    throw new KeyturnError('VALIDATION_FAILED', `Correct the body and send it again: ${reason}`, {
      details: { in: 'body', fields: [{ path: '', reason }] },
    })
  }
  // PostgreSQL stores neither NUL nor half a surrogate pair. Check it here for every route.
  if (/\\u(0000|d[89a-f])/i.test(text)) refuseUnstorable(text)
  return text
}

function refuseUnstorable(text: string): void {
  const found = (value: unknown): boolean => {
    if (typeof value === 'string') return /\0|\p{Surrogate}/u.test(value)
    if (typeof value !== 'object' || value === null) return false
    return Object.entries(value).some(([key, each]) => found(key) || found(each))
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return // The route's own parse reports it.
  }
  if (found(value)) {
    throw new KeyturnError('VALIDATION_FAILED', 'A text holds NUL or half a surrogate pair. Remove it', {
      details: { in: 'body', fields: [] },
    })
  }
}

function bodyRequired(): KeyturnError {
  return new KeyturnError('VALIDATION_FAILED', 'Send a JSON body. GET /openapi.json describes its fields', {
    details: { in: 'body', fields: [{ path: '', reason: 'is required' }] },
  })
}

function tooLarge(limit: number): KeyturnError {
  return new KeyturnError('BODY_TOO_LARGE', `The body is larger than ${limit} bytes. Send a smaller one`, {
    details: { limit },
  })
}
