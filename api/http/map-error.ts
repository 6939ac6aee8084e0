/** Maps every error to an HTTP answer. */

import type { ErrorHandler } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { ZodError } from 'zod'
import { errorCode, isDatabaseDown, isPassing } from '../../db/database-errors.js'
import { KeyturnError } from '../../domain/errors.js'
import type { ErrorAnswer } from '../../wire/error.js'
import type { ApiEnv } from '../context.js'

/** `Retry-After` of an answer while PostgreSQL is away. */
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

/** Maps any thrown value to the error that the caller may see. It hides the details of an unexpected error. */
export function toKeyturnError(error: unknown): KeyturnError {
  if (error instanceof KeyturnError) return error
  if (error instanceof HTTPException) {
    if (error.status === 415) return unsupportedMediaType()
    if (error.status === 413)
      return new KeyturnError('BODY_TOO_LARGE', 'Send a smaller body', { cause: error })
    if (error.status === 400) {
      return new KeyturnError('MALFORMED_JSON', 'The body is not valid JSON. Check it and send it again', {
        cause: error,
      })
    }
  }
  if (error instanceof ZodError) {
    // A parse outside a route's own schemas failed, which is a fault of the platform and not of the caller.
    return internalError(error)
  }
  if (isDatabaseDown(error)) {
    return new KeyturnError(
      'DEPENDENCY_UNAVAILABLE',
      'The database cannot be reached, and nothing was changed partially. Send the same request again, with the same Idempotency-Key',
      { cause: error, retryable: true, details: { dependency: 'postgres' } },
    )
  }
  if (isPassing(error)) {
    return new KeyturnError(
      'DEPENDENCY_UNAVAILABLE',
      'The database is busy or took too long, and nothing was changed partially. Send the same request again, with the same Idempotency-Key',
      { cause: error, retryable: true, details: { dependency: 'postgres' } },
    )
  }
  return unstorable(error) ?? internalError(error)
}

/** Maps SQLSTATE class 22: a value passed every check of the API, but PostgreSQL cannot store it. */
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
        ? 'A time is outside the range that can be stored'
        : 'A value is outside the range that can be stored'
  return new KeyturnError('VALIDATION_FAILED', `${reason}. Correct it and send the request again`, {
    cause,
    details: { fields: [] },
  })
}

/** Creates the error 415: the API accepts JSON bodies only. */
export function unsupportedMediaType(): KeyturnError {
  return new KeyturnError('UNSUPPORTED_MEDIA_TYPE', 'Send the body as Content-Type: application/json')
}

/** Returns the error for an upload that is neither CSV nor NDJSON. */
export function unsupportedUpload(): KeyturnError {
  return new KeyturnError(
    'UNSUPPORTED_MEDIA_TYPE',
    'Send the file as Content-Type: text/csv or application/x-ndjson',
  )
}

/** Returns the JSON body of an error answer. */
export function errorBody(error: KeyturnError, requestId: string): ErrorAnswer {
  return {
    success: false,
    error: { code: error.code, message: error.message, details: error.details, request_id: requestId },
  }
}

/** Handles errors for Hono: logs unexpected ones and answers with the envelope, never with a stack. */
export const handleError: ErrorHandler<ApiEnv> = (thrown, c) => {
  const error = toKeyturnError(thrown)
  const requestId = c.get('requestId') ?? 'req_unknown'
  if (error.status >= 500 || /^22...$/.test(errorCode(error.cause))) {
    c.get('dependencies')?.log.error(
      { err: thrown, requestId, path: withoutToken(c.req.path) },
      'request failed',
    )
  }
  const retryAfter =
    error.details.retry_after ?? (error.code === 'DEPENDENCY_UNAVAILABLE' ? RETRY_AFTER_SECONDS : undefined)
  if (retryAfter !== undefined) c.header('Retry-After', String(retryAfter))
  if (error.code === 'METHOD_NOT_ALLOWED' && typeof error.details.allow === 'string') {
    c.header('Allow', error.details.allow)
  }
  return c.json(errorBody(error, requestId), error.status as ContentfulStatusCode)
}

/** Returns a path for the log. The token of a link opens a file, so that it must not be written. */
function withoutToken(path: string): string {
  return path.replace(/^(\/export-files\/).*/s, '$1…')
}

function internalError(cause: unknown): KeyturnError {
  return new KeyturnError(
    'INTERNAL_ERROR',
    'An unexpected error occurred and was recorded under this request_id. Send the same request again, with the same Idempotency-Key',
    { cause },
  )
}
