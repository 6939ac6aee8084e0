/** Defines the one error class of the product, its codes, and the HTTP status of each code. */

/** HTTP status of every code that the public API answers with. */
export const HTTP_STATUS = {
  VALIDATION_FAILED: 400,
  MALFORMED_JSON: 400,
  MALFORMED_REQUEST: 400,
  INVALID_API_KEY: 401,
  INVALID_SIGNATURE: 401,
  TIMESTAMP_OUT_OF_RANGE: 401,
  NONCE_REUSED: 401,
  CASHIER_SESSION_REQUIRED: 401,
  IP_NOT_ALLOWED: 403,
  INSUFFICIENT_SCOPE: 403,
  NOT_AN_APPROVER: 403,
  INITIATOR_CANNOT_APPROVE: 403,
  MERCHANT_SUSPENDED: 403,
  FORM_REFUSED: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  REQUEST_TIMEOUT: 408,
  IDEMPOTENCY_CONFLICT: 409,
  REQUEST_IN_PROGRESS: 409,
  DUPLICATE_EXTERNAL_ID: 409,
  WITHDRAWAL_NOT_CANCELLABLE: 409,
  ALREADY_DECIDED: 409,
  INTENT_HASH_MISMATCH: 409,
  INVALID_STATE: 409,
  SETTLEMENT_PAUSED: 409,
  REPLACEMENT_NOT_SUPPORTED: 409,
  CASHIER_LINK_USED: 410,
  BODY_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  INSUFFICIENT_BALANCE: 422,
  INVALID_ADDRESS: 422,
  INVALID_AMOUNT: 422,
  INVALID_URL: 422,
  INVALID_APPROVAL_SIGNATURE: 422,
  FEE_LIMIT_EXCEEDED: 422,
  DAILY_LIMIT_EXCEEDED: 422,
  MONTHLY_LIMIT_EXCEEDED: 422,
  NOT_WHITELISTED: 422,
  SAME_PARTY: 422,
  UNKNOWN_PERSON: 422,
  BLOCK_NOT_SCANNED: 422,
  UNSUPPORTED_NETWORK: 422,
  UNSUPPORTED_COIN: 422,
  RAIL_NOT_ENABLED: 422,
  NO_SIGNER: 422,
  INVALID_ENROLMENT: 422,
  RATE_LIMITED: 429,
  HEADERS_TOO_LARGE: 431,
  INTERNAL_ERROR: 500,
  DEPENDENCY_UNAVAILABLE: 503,
} as const

export type ErrorCode = keyof typeof HTTP_STATUS

export interface KeyturnErrorOptions {
  /** Machine-readable facts for the caller. JSON only, no secrets. */
  readonly details?: Record<string, unknown>
  readonly cause?: unknown
  /** Whether the same call may succeed later without a change. Default false. */
  readonly retryable?: boolean
}

/** Expected failure with a stable code. Its message says what to do next and is safe to show. */
export class KeyturnError extends Error {
  override readonly name = 'KeyturnError'
  readonly code: ErrorCode
  readonly details: Record<string, unknown>
  readonly retryable: boolean

  constructor(code: ErrorCode, message: string, options: KeyturnErrorOptions = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.code = code
    this.details = options.details ?? {}
    this.retryable = options.retryable ?? false
  }

  /** Returns the HTTP status of this error's code. */
  get status(): number {
    return HTTP_STATUS[this.code]
  }
}
