/** The error that the client throws for an error answer of the API. */

import type { ErrorAnswer } from '../wire/error.js'

/** `error` of an error answer. A later API may send codes that this client does not know. */
export type ApiErrorBody = Omit<ErrorAnswer['error'], 'code'> & { readonly code: string }

/** Reports an answer that is not a success. Its `code` is stable; its message says what to do next. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: number
  readonly code: string
  readonly details: Readonly<Record<string, unknown>>
  /** Id of the request. The operator finds the request by it. */
  readonly requestId: string

  constructor(status: number, body: ApiErrorBody) {
    super(`${body.code}: ${body.message}`)
    this.status = status
    this.code = body.code
    this.details = body.details
    this.requestId = body.request_id
  }
}
