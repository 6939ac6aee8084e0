/** An error answer of the API. */

export interface ApiErrorBody {
  readonly code: string
  readonly message: string
  readonly details: Readonly<Record<string, unknown>>
  readonly request_id: string
}

/** Thrown for every answer that is not a success; `code` is stable, the message says what to do next. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: number
  readonly code: string
  readonly details: Readonly<Record<string, unknown>>
  /** Name it when you ask the operator. */
  readonly requestId: string

  constructor(status: number, body: ApiErrorBody) {
    super(`${body.code}: ${body.message}`)
    this.status = status
    this.code = body.code
    this.details = body.details
    this.requestId = body.request_id
  }
}
