/** The one place where an error becomes an HTTP answer. */

import type { ErrorHandler } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { ZodError } from 'zod'
import { errorCode, isDatabaseDown, isPassing } from '../../db/database-errors.js'
import { KeyturnError } from '../../domain/errors.js'
import type { ApiEnv } from '../context.js'

/** Seconds after which it is worth trying again when Postgres is away. */
const RETRY_AFTER_SECONDS = 2
/** Turns the issues of a zod parse into `VALIDATION_FAILED` with the path and reason of each field. */
export function validationError(error: ZodError, target: string): KeyturnError {
  const fields = error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({ path: [...issue.path, key].join('.'), reason: 'unknown field' }))
      : [{ path: issue.path.join('.'), reason: issue.message }],
  )
  const where = target === 'json' ? 'body' : target === 'param' ? 'path' : target
  const named = fields.map((field) => (field.path ? `${field.path}: ${field.reason}` : field.reason))
  return new KeyturnError(
    'VALIDATION_FAILED',
    `Correct these in the ${where} and send it again: ${named.join('; ').slice(0, 1_000)}`,
    { details: { in: where, fields: fields.slice(0, 100) } },
  )
}

/** Maps any thrown value to the error that the caller may see; what is unexpected stays inside. */
export function toKeyturnError(error: unknown): KeyturnError {
  if (error instanceof KeyturnError) return error
  if (error instanceof HTTPException) {
    if (error.status === 415) return unsupportedMediaType()
    if (error.status === 413)
      return new KeyturnError('BODY_TOO_LARGE', 'Send a smaller body', { cause: error })
    if (error.status === 400) {
      return new KeyturnError('MALFORMED_JSON', 'The body is not valid JSON; check it and send it again', {
        cause: error,
      })
    }
  }
  if (error instanceof ZodError) {
    // A parse outside a route's own schemas: our fault, not the caller's.
    return internalError(error)
  }
  if (isDatabaseDown(error)) {
    return new KeyturnError(
      'DEPENDENCY_UNAVAILABLE',
      'The database cannot be reached; nothing was half done. Send the same request again, with the same Idempotency-Key',
      { cause: error, retryable: true, details: { dependency: 'postgres' } },
    )
  }
  if (isPassing(error)) {
    return new KeyturnError(
      'DEPENDENCY_UNAVAILABLE',
      'The database is busy with others at the same rows, or took too long; nothing was half done. Send the same request again, with the same Idempotency-Key',
      { cause: error, retryable: true, details: { dependency: 'postgres' } },
    )
  }
  return unstorable(error) ?? internalError(error)
}

/** SQLSTATE class 22: a value that passed every check of ours and that PostgreSQL cannot hold all the same. */
function unstorable(cause: unknown): KeyturnError | null {
  const code = errorCode(cause)
  if (!/^22...$/.test(code)) return null
  if (code === '22003') {
    return new KeyturnError('INVALID_AMOUNT', 'An amount, or the sum of several, is too large', { cause })
  }
  const reason =
    code === '22021' || code === '22P05'
      ? 'A text holds a character that cannot be stored (NUL)'
      : /^2200[78]$/.test(code)
        ? 'A time lies outside what can be stored'
        : 'A value lies outside what can be stored'
  return new KeyturnError('VALIDATION_FAILED', `${reason}; correct it and send it again`, {
    cause,
    details: { fields: [] },
  })
}

/** 415: only JSON bodies are taken. */
export function unsupportedMediaType(): KeyturnError {
  return new KeyturnError('UNSUPPORTED_MEDIA_TYPE', 'Send the body as Content-Type: application/json')
}

/** The JSON body of an error answer. */
export function errorBody(error: KeyturnError, requestId: string) {
  return {
    success: false as const,
    error: { code: error.code, message: error.message, details: error.details, request_id: requestId },
  }
}

/** Hono's error handler: logs what is unexpected, answers with the envelope, never with a stack. */
export const handleError: ErrorHandler<ApiEnv> = (thrown, c) => {
  const error = toKeyturnError(thrown)
  const requestId = c.get('requestId') ?? 'req_unknown'
  if (error.status >= 500 || /^22...$/.test(errorCode(error.cause))) {
    c.get('dependencies')?.log.error({ err: thrown, requestId, path: c.req.path }, 'request failed')
  }
  const retryAfter =
    error.details.retry_after ?? (error.code === 'DEPENDENCY_UNAVAILABLE' ? RETRY_AFTER_SECONDS : undefined)
  if (retryAfter !== undefined) c.header('Retry-After', String(retryAfter))
  if (error.code === 'METHOD_NOT_ALLOWED' && typeof error.details.allow === 'string') {
    c.header('Allow', error.details.allow)
  }
  return c.json(errorBody(error, requestId), error.status as ContentfulStatusCode)
}

function internalError(cause: unknown): KeyturnError {
  return new KeyturnError(
    'INTERNAL_ERROR',
    'Something unexpected happened; it was recorded under this request_id. Try again, with the same Idempotency-Key',
    { cause },
  )
}
